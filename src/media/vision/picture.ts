// A user's picture as engines get it: a file that every decoder reads as the same upright 8-bit RGB pixels, with its size and its name in caches.
import { createHash } from 'node:crypto'
import type { Metadata } from 'sharp'
import type { StageTimer } from '../../lib/vision-stages.ts'
import { imageCodec } from '../image/codec.ts'
import { useModelPixels } from '../input/decode.ts'
import { readFile } from '../input/input.ts'
import type { InputPolicy } from '../input/policy.ts'
import { inReadingRoom } from '../input/room.ts'
import { plainFile } from './plain-file.ts'

export interface Picture {
  file: Uint8Array
  contentType: string
  width: number
  height: number
  /** Bytes of what the client sent; `file` may be larger. */
  sent: number
  /** SHA-256 of `file`, hex. */
  hash: string
}

/** OpenAI's `detail: "low"`: no side longer than this. */
const lowDetailSide = 512

/**
 * Fetches (data:, https, file, as the policy allows), decodes the whole of it and gives back a file that means the same everywhere: the client's own JPEG or PNG
 * without its notes where it is plain, else a PNG (EXIF's turn, colour profiles, CMYK, palettes and transparency are resolved; alpha is dropped, not blended, as
 * processors do). Rejects with `invalid_image` or `invalid_value` naming `param`.
 */
export function readPicture(
  url: string,
  detail: string | undefined,
  policy: InputPolicy,
  param: string,
  signal: AbortSignal,
  time: StageTimer = () => {},
): Promise<Picture> {
  return inReadingRoom(param, signal, async (place) => {
    const asked = performance.now()
    const given = await readFile({ url }, { ...policy, onBytes: place.take }, param, place.signal)
    const there = performance.now()
    const made = await decoded(given, detail, policy, param, place.signal)
    time('fetch', there - asked)
    time('decode', performance.now() - there)
    return made
  })
}

function decoded(given: Uint8Array, detail: string | undefined, policy: InputPolicy, param: string, signal: AbortSignal): Promise<Picture> {
  // Decoded to its last line before any engine hears of it: a file that ends early must be the client's error, not the engine's.
  return useModelPixels(given, policy.maxPixels, param, signal, async ({ data: rgb, width, height }, head) => {
    const small = detail === 'low' && Math.max(width, height) > lowDetailSide
    const format = small ? undefined : plainFormat(head)
    const plain = format && plainFile(given, format)
    if (plain !== undefined) return picture(plain, `image/${format}`, width, height, given.length)
    const sharp = await imageCodec()
    const image = sharp(rgb, { raw: { width, height, channels: 3 } })
    if (small) image.resize(lowDetailSide, lowDetailSide, { fit: 'inside' })
    const { data, info } = await image.png({ compressionLevel: 2 }).toBuffer({ resolveWithObject: true })
    return picture(data, 'image/png', info.width, info.height, given.length)
  })
}

/** Of a file that needs no explaining; undefined where decoders may differ. */
function plainFormat({ format, space, depth, channels, orientation, pages }: Metadata): 'jpeg' | 'png' | undefined {
  const plain = space === 'srgb' && depth === 'uchar' && channels === 3 && (orientation ?? 1) === 1 && (pages ?? 1) === 1
  return plain && (format === 'jpeg' || format === 'png') ? format : undefined
}

function picture(file: Uint8Array, contentType: string, width: number, height: number, sent: number): Picture {
  return { file, contentType, width, height, sent, hash: createHash('sha256').update(file).digest('hex') }
}
