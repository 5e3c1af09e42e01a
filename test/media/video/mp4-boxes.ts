// The boxes of an MP4 file (ISO/IEC 14496-12), as far as tests look.

/** A line of shell that writes the smallest file that passes as an MP4 to descriptor 3. */
export const smallestMp4 = String.raw`printf '\000\000\000\020ftypisom\000\000\002\000\000\000\000\011moovx\000\000\000\011mdatx' > /proc/self/fd/3`

export interface Box {
  name: string
  /** Of its content. */
  from: number
  to: number
}

/** The boxes at the top, or those inside the first box of each name on the way; inside `stsd` those of its first sample entry. */
export function boxes(file: Uint8Array, path: readonly string[] = []): Box[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  let found = list(view, 0, file.length)
  for (const name of path) {
    const box = found.find((one) => one.name === name)
    if (box === undefined) return []
    // A sample description: version and count, then an entry with 78 bytes of its own before its boxes.
    found = name === 'stsd' ? list(view, box.from + 8 + 8 + 78, box.to) : list(view, box.from, box.to)
  }
  return found
}

function list(view: DataView, from: number, to: number): Box[] {
  const found: Box[] = []
  for (let at = from; at + 8 <= to; ) {
    const size = view.getUint32(at)
    if (size < 8) break
    const name = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)))
    found.push({ name, from: at + 8, to: at + size })
    at += size
  }
  return found
}
