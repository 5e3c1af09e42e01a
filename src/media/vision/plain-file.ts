// JPEG and PNG files with nothing in them but a picture. Decoders agree on pixels and differ on the rest: Pillow refuses a comment that unpacks to megabytes, a wrong
// checksum of a note, bytes after the last scan. A file that only one of them refuses would be an engine's failure instead of its sender's.

/**
 * A file that was decoded to its end, without its notes, profiles, previews and whatever follows it; the same bytes where it had none of that. Undefined when its
 * parts are not clearly those of one picture. Pixels and colour transform stay as they are; EXIF's orientation goes, so it must be 1.
 */
export function plainFile(file: Uint8Array, format: 'jpeg' | 'png'): Uint8Array | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  const spans = format === 'png' ? pngSpans(bytes) : jpegSpans(bytes)
  if (spans === undefined) return undefined
  const length = spans.reduce((sum, [from, to]) => sum + to - from, 0)
  return length === bytes.length ? file : Buffer.concat(spans.map(([from, to]) => bytes.subarray(from, to)))
}

/** From, to. */
type Span = readonly [number, number]

const pngParts = ['IHDR', 'IDAT', 'IEND']
/** Where IHDR says it; of the kinds of pixels the only one that needs no other chunk to be understood (a palette lies in one of its own). */
const colourTypeAt = 25
const trueColour = 2

/** Chunks are length, name, data and checksum (PNG specification, §5.3). */
function pngSpans(bytes: Buffer): Span[] | undefined {
  if (bytes[colourTypeAt] !== trueColour) return undefined
  const spans: Span[] = [[0, 8]]
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at)
    if (end > bytes.length) return undefined
    const name = bytes.toString('latin1', at + 4, at + 8)
    if (pngParts.includes(name)) {
      if (Bun.hash.crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) return undefined
      spans.push([at, end])
    }
    if (name === 'IEND') return spans
    at = end
  }
  return undefined
}

const startOfImage = 0xd8
const endOfImage = 0xd9
const startOfScan = 0xda
/** Baseline, extended and progressive, with Huffman codes: what everybody reads. */
const frames = [0xc0, 0xc1, 0xc2]
/** Tables and restart intervals; JFIF's and Adobe's heads, which say what the colours are. */
const kept = [...frames, startOfScan, 0xc4, 0xdb, 0xdd, 0xe0, 0xee]
const dropped = (marker: number) => (marker > 0xe0 && marker < 0xee) || marker === 0xef || marker === 0xfe
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7

/** Segments are 0xff, a marker, a length and data; a scan's codes follow it without a length (ITU-T T.81, annex B). */
function jpegSpans(bytes: Buffer): Span[] | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== startOfImage) return undefined
  const spans: Span[] = [[0, 2]]
  let pictures = 0
  for (let at = 2; at + 1 < bytes.length; ) {
    const marker = bytes[at + 1]!
    if (bytes[at] !== 0xff) return undefined
    if (marker === endOfImage) {
      spans.push([at, at + 2])
      return pictures === 1 ? joined(spans) : undefined
    }
    if (at + 4 > bytes.length || !(kept.includes(marker) || dropped(marker))) return undefined
    const segment = at + 2 + bytes.readUInt16BE(at + 2)
    if (frames.includes(marker)) pictures++
    const end = marker === startOfScan ? scanEnd(bytes, segment) : segment
    if (!dropped(marker)) spans.push([at, end])
    at = end
  }
  return undefined
}

/** Where the next marker is that does not belong to the scan: a 0xff of its codes is followed by 0. */
function scanEnd(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 2)) {
    const next = bytes[at + 1] ?? 0
    if (next !== 0 && !isRestart(next)) return at
  }
  return bytes.length
}

/** Neighbours as one: a progressive file has many. */
function joined(spans: readonly Span[]): Span[] {
  const out: [number, number][] = []
  for (const [from, to] of spans) {
    const last = out.at(-1)
    if (last?.[1] === from) last[1] = to
    else out.push([from, to])
  }
  return out
}
