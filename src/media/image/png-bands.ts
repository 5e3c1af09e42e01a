// PNG files of large pictures, their rows filtered and compressed in bands side by side (PNG 1.2, RFC 1950 and 1951), on machines with cores to spare: one
// thread would need longer than everything else that happens to a picture after its last step. The pixels are those of one piece, the bytes are not.
import { promisify } from 'node:util'
import { constants, deflateRaw } from 'node:zlib'
import { imageCodec } from './codec.ts'

interface Picture {
  /** Row-major, `channels` bytes a pixel: 3 for RGB, 4 with alpha. */
  pixels: Uint8Array
  width: number
  height: number
  channels: 3 | 4
}

interface Band {
  /** Its part of the deflate stream, ending at a whole byte. */
  deflated: Uint8Array
  adler: number
  length: number
}

/** Pixels of a band: some 3 ms of work, and a loss of about 0.1 % because each begins without a window. */
const BAND_PIXELS = 128 * 1024

const compress = promisify(deflateRaw) as (data: Uint8Array, options: object) => Promise<Buffer>

/** Bands cost 20 to 70 % more CPU than one piece (`bun run bench png`): on two cores they are hardly sooner done, on 16 in a fifth of the time. */
const LEAST_CORES = 4

/** Whether there are enough bands, and enough cores for them. */
export function inBands(width: number, height: number, cores: number): boolean {
  return cores >= LEAST_CORES && width * height >= 3 * BAND_PIXELS && height >= 3
}

/** The whole file. `level`: zlib's, 0 to 9. The pixels must not change before the promise settles. */
export async function pngInBands(picture: Picture, level: number): Promise<Uint8Array> {
  const { width, height, channels } = picture
  const rows = Math.max(1, Math.ceil(BAND_PIXELS / width))
  const bands: Promise<Band>[] = []
  for (let first = 0; first < height; first += rows) bands.push(band(picture, first, Math.min(height, first + rows), level))
  const done = await Promise.all(bands)
  const header = new DataView(new ArrayBuffer(13))
  header.setUint32(0, width)
  header.setUint32(4, height)
  header.setUint8(8, 8)
  header.setUint8(9, channels === 4 ? 6 : 2)
  const adler = new DataView(new ArrayBuffer(4))
  adler.setUint32(0, done.map(({ adler, length }) => ({ adler, length })).reduce(joined).adler)
  return Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    ...chunk('IHDR', new Uint8Array(header.buffer)),
    // zlib's own first bytes: deflate, a window of 32 KiB, no dictionary.
    ...chunk('IDAT', Uint8Array.of(0x78, 0x5e)),
    ...done.flatMap(({ deflated }) => chunk('IDAT', deflated)),
    ...chunk('IDAT', new Uint8Array(adler.buffer)),
    ...chunk('IEND', new Uint8Array(0)),
  ])
}

/** Rows [first, end): the library chooses their filters in a file that it does not compress. It is given the row above too, which filters refer to. */
async function band({ pixels, width, height, channels }: Picture, first: number, end: number, level: number): Promise<Band> {
  const sharp = await imageCodec()
  const above = first === 0 ? 0 : 1
  const stride = width * channels
  const part = pixels.subarray((first - above) * stride, end * stride)
  const plain = await sharp(part, { raw: { width, height: end - first + above, channels } })
    .png({ compressionLevel: 0, adaptiveFiltering: true })
    .toBuffer()
  const filtered = stored(dataOf(plain)).subarray(above * (1 + stride))
  const last = end === height
  const deflated = await compress(filtered, {
    level,
    memLevel: 9,
    strategy: constants.Z_FILTERED,
    ...(last ? {} : { finishFlush: constants.Z_SYNC_FLUSH }),
  })
  return { deflated, adler: Bun.hash.adler32(filtered), length: filtered.length }
}

/** What all IDAT chunks of a file hold. */
function dataOf(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const parts: Uint8Array[] = []
  for (let at = 8; at < file.length; ) {
    const length = view.getUint32(at)
    if (view.getUint32(at + 4) === 0x49444154) parts.push(file.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  return Buffer.concat(parts)
}

/** The text of a zlib stream that has stored blocks only (RFC 1951, 3.2.4): level 0 writes no others. Throws when it has. */
function stored(stream: Uint8Array): Uint8Array {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  const parts: Uint8Array[] = []
  for (let at = 2, last = false; !last; ) {
    const head = stream[at]!
    if (head & 6) throw new Error('the library compressed what it should not have')
    last = (head & 1) === 1
    const length = view.getUint16(at + 1, true)
    parts.push(stream.subarray(at + 5, at + 5 + length))
    at += 5 + length
  }
  return Buffer.concat(parts)
}

function chunk(name: string, data: Uint8Array): Uint8Array[] {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(data.length, 0)
  head.write(name, 4, 'latin1')
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(Bun.hash.crc32(data, Bun.hash.crc32(head.subarray(4))) >>> 0)
  return [head, data, crc]
}

/** Adler-32 of two texts, one behind the other: the second one's sums begin where the first one's end. */
function joined(a: { adler: number; length: number }, b: { adler: number; length: number }): { adler: number; length: number } {
  const base = 65521
  const [lowA, highA] = [a.adler & 0xffff, a.adler >>> 16]
  const [lowB, highB] = [b.adler & 0xffff, b.adler >>> 16]
  const low = (lowA + lowB + base - 1) % base
  const high = (highA + highB + (((b.length % base) * (lowA + base - 1)) % base)) % base
  return { adler: ((high << 16) | low) >>> 0, length: a.length + b.length }
}
