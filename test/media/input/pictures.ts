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
