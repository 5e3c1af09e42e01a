// A user's picture as engines get it: a file that every decoder reads as the same upright 8-bit RGB pixels, with its size and its name in caches.
import { createHash } from 'node:crypto'
import type { Metadata } from 'sharp'
import { imageCodec } from '../image/codec.ts'
import { toModelPixels } from '../input/decode.ts'
import { readFile } from '../input/input.ts'
import type { InputPolicy } from '../input/policy.ts'

export interface Picture {
  file: Uint8Array
  contentType: string
  width: number
  height: number
  /** SHA-256 of `file`, hex. */
  hash: string
}

/** OpenAI's `detail: "low"`: no side longer than this. */
const lowDetailSide = 512

/**
 * Fetches (data:, https, file, as the policy allows), decodes the whole of it and gives back a file that means the same everywhere: the client's own bytes where they
 * are plain, else a PNG (EXIF's turn, colour profiles, CMYK, palettes and transparency are resolved; alpha is dropped, not blended, as processors do).
 * Rejects with `invalid_image` or `invalid_value` naming `param`.
 */
export async function readPicture(
  url: string,
  detail: string | undefined,
  policy: InputPolicy,
  param: string,
  signal: AbortSignal,
): Promise<Picture> {
  const given = await readFile({ url }, policy, param, signal)
  // Decoded to its last line before any engine hears of it: a file that ends early must be the client's error, not the engine's.
  const pixels = await toModelPixels(given, policy.maxPixels, param, signal)
  const { width, height } = pixels
  const sharp = await imageCodec()
  if (detail === 'low' && Math.max(width, height) > lowDetailSide) {
    const { data, info } = await sharp(pixels.data, { raw: { width, height, channels: 3 } })
      .resize(lowDetailSide, lowDetailSide, { fit: 'inside' })
      .png({ compressionLevel: 2 })
      .toBuffer({ resolveWithObject: true })
    return picture(data, 'image/png', info.width, info.height)
  }
  const contentType = plainType(await sharp(given).metadata())
  if (contentType !== undefined) return picture(given, contentType, width, height)
  const png = await sharp(pixels.data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 2 })
    .toBuffer()
  return picture(png, 'image/png', width, height)
}

/** The content type of a file that needs no explaining; undefined where decoders may differ. */
function plainType({ format, space, depth, channels, orientation, pages }: Metadata): string | undefined {
  const plain = space === 'srgb' && depth === 'uchar' && channels === 3 && (orientation ?? 1) === 1 && (pages ?? 1) === 1
  return plain && (format === 'jpeg' || format === 'png') ? `image/${format}` : undefined
}

function picture(file: Uint8Array, contentType: string, width: number, height: number): Picture {
  return { file, contentType, width, height, hash: createHash('sha256').update(file).digest('hex') }
}
