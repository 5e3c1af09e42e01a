// Pictures for tests of input: every kind that is read, and files made to do harm.
import { deflateSync } from 'node:zlib'
import { imageCodec } from '../../../src/media/image/codec.ts'

const sharp = await imageCodec()

/** Left half red, right half blue, 8 x 4: turning and mirroring show. */
export const flag = Uint8Array.from({ length: 8 * 4 * 3 }, (_, i) => ((Math.floor(i / 3) % 8 < 4 ? i % 3 === 0 : i % 3 === 2) ? 255 : 0))
export const flagImage = () => sharp(flag, { raw: { width: 8, height: 4, channels: 3 } })

const photo = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => 128 + 100 * Math.sin(i / 37) + ((i * 2654435761) >>> 28))
const photoImage = () => sharp(photo, { raw: { width: 64, height: 64, channels: 3 } })

/** Whole files, larger than a buffer's worth, to be cut. */
export const whole = {
  png: await photoImage().png().toBuffer(),
  jpeg: await photoImage().jpeg().toBuffer(),
  webp: await photoImage().webp().toBuffer(),
  gif: await photoImage().gif().toBuffer(),
}

/** A PNG whose head says width x height; `pixels` are its packed bytes, by default hardly any. */
export function pngOf(width: number, height: number, options: { depth?: number; colour?: number; raw?: Uint8Array } = {}): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([options.depth ?? 8, options.colour ?? 2, 0, 0, 0], 8)
  const chunks = [
    ['IHDR', head],
    ['IDAT', deflateSync(options.raw ?? new Uint8Array(1000))],
    ['IEND', Buffer.alloc(0)],
  ] as const
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks.map(([name, data]) => chunk(name, data))])
}

/** A chunk of a PNG. */
export function chunk(name: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  out.set(body, 4)
  out.writeUInt32BE(Bun.hash.crc32(body), body.length + 4)
  return out
}

/** A JPEG whose frame says 65500 x 65500. */
export function jpegBomb(): Buffer {
  const bytes = Buffer.from(whole.jpeg)
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]))
  bytes.writeUInt16BE(65500, frame + 5)
  bytes.writeUInt16BE(65500, frame + 7)
  return bytes
}

/** A GIF whose canvas and frame say 65535 x 65535. */
export function gifBomb(): Buffer {
  const bytes = Buffer.from(whole.gif)
  const frame = bytes.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, 64, 0, 64, 0]))
  for (const at of [6, 8, frame + 5, frame + 7]) bytes.writeUInt16LE(65535, at)
  return bytes
}

/** A black progressive JPEG in which each coefficient comes bit by bit: every scan is allowed, and as much work as the whole picture. */
export function scanBomb(side: number, scans: number): Buffer {
  const blocks = (side / 8) ** 2
  const parts: Buffer[] = [Buffer.of(0xff, 0xd8)]
  const segment = (marker: number, data: readonly number[]) => {
    const head = Buffer.of(0xff, marker, 0, 0)
    head.writeUInt16BE(data.length + 2, 2)
    parts.push(head, Buffer.from(data))
  }
  const size = [side >> 8, side & 255]
  segment(0xdb, [0, ...Array<number>(64).fill(1)])
  segment(0xc2, [8, ...size, ...size, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
  // One code of one bit each: a difference of nothing, and a run of 16,384 and more empty blocks.
  for (const [kind, symbol] of [[0x00, 0] as const, [0x10, 0xe0] as const]) segment(0xc4, [kind, 1, ...Array<number>(15).fill(0), symbol])
  segment(0xda, [3, 1, 0, 2, 0, 3, 0, 0, 0, 0])
  parts.push(packed('0'.repeat(blocks * 3)))
  const run = (count: number) => `0${(count - 16384).toString(2).padStart(14, '0')}`
  const runs = Math.ceil(blocks / 32767)
  const empty = packed(
    Array.from({ length: runs }, (_, i) => run(Math.floor(((i + 1) * blocks) / runs) - Math.floor((i * blocks) / runs))).join(''),
  )
  for (let i = 0; i < scans; i++) {
    const [low, component, coefficient] = [13 - (i % 14), 1 + (Math.floor(i / 14) % 3), 1 + Math.floor(i / 42)]
    segment(0xda, [1, component, 0, coefficient, coefficient, ((low === 13 ? 0 : low + 1) << 4) | low])
    parts.push(empty)
  }
  return Buffer.concat([...parts, Buffer.of(0xff, 0xd9)])
}

/** Digits as bits, filled up with ones; a byte of ones is followed by a zero. */
function packed(bits: string): Buffer {
  const bytes = (bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, '1'), 2))
  return Buffer.from(bytes.flatMap((byte) => (byte === 255 ? [255, 0] : [byte])))
}
