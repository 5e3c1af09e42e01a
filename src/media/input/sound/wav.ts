// WAV files (RIFF, "WAVE"): the plain ones of strangers read without a decoder, and our own written.

/** Samples of 16 bits, one channel, `rate` a second; undefined: another kind of WAV, or a broken one, which a decoder may judge. */
export function plainSamples(file: Uint8Array, rate: number): Uint8Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  const name = (at: number) => Buffer.from(file.buffer, file.byteOffset + at, 4).toString('latin1')
  if (file.length < 44 || name(0) !== 'RIFF' || name(8) !== 'WAVE') return undefined
  let plain = false
  for (let at = 12; at + 8 <= file.length; ) {
    const size = view.getUint32(at + 4, true)
    const from = at + 8
    if (from + size > file.length) return undefined
    if (name(at) === 'fmt ' && size >= 16)
      plain =
        view.getUint16(from, true) === 1 &&
        view.getUint16(from + 2, true) === 1 &&
        view.getUint32(from + 4, true) === rate &&
        view.getUint16(from + 14, true) === 16
    if (name(at) === 'data') return plain && size % 2 === 0 ? file.subarray(from, from + size) : undefined
    at = from + size + (size % 2)
  }
  return undefined
}

/** What writers into a pipe say of lengths that they do not know. */
const unknown = 0xffffffff

/** The file with its true lengths in it, where its writer did not know them; else itself. */
export function withLengths(file: Uint8Array): Uint8Array {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4)
    if (bytes.toString('latin1', at, at + 4) !== 'data') at += 8 + size + (size % 2)
    else if (size !== unknown) break
    else {
      const known = Buffer.from(bytes)
      known.writeUInt32LE(bytes.length - 8, 4)
      known.writeUInt32LE(bytes.length - at - 8, at + 4)
      return known
    }
  }
  return file
}

/** A file of one channel: samples of 16 bits, or of float32 where `float`; little endian. */
export function wavFile(samples: Uint8Array, rate: number, float: boolean): Uint8Array {
  const file = Buffer.alloc(44 + samples.length)
  const width = float ? 4 : 2
  file.write('RIFF', 0, 'latin1')
  file.writeUInt32LE(36 + samples.length, 4)
  file.write('WAVEfmt ', 8, 'latin1')
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(float ? 3 : 1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(rate, 24)
  file.writeUInt32LE(rate * width, 28)
  file.writeUInt16LE(width, 32)
  file.writeUInt16LE(8 * width, 34)
  file.write('data', 36, 'latin1')
  file.writeUInt32LE(samples.length, 40)
  file.set(samples, 44)
  return file
}
