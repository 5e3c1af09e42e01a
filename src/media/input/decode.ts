// Files of strangers to upright pictures: known formats only, sizes checked by the file's head, the first frame of an animation.
import type { Metadata, Sharp } from 'sharp'
import { AppError } from '../../lib/errors.ts'
import { imageCodec } from '../image/codec.ts'
import { atMost } from './at-most.ts'
import { describe, sniff } from './sniff.ts'

export interface Pixels {
  /** [height, width, channels], 8-bit sRGB. */
  data: Uint8Array
  width: number
  height: number
  channels: 3 | 4
}

/** Of 200 MB each at the default limit, whatever the number of cores and clients. */
const decoding = atMost(4)

/** What one decoding may take: on a machine that is not overloaded, only a file made to be slow gets there. */
const slowestSecs = 30

/**
 * The picture as a PNG file: sRGB of 8 bits, EXIF's orientation applied, alpha kept, no metadata. Rejects with `invalid_image`, with `overloaded` when
 * it takes longer than `secs` (whole ones), and with `client_closed_request` as soon as the signal aborts; each names `param`.
 */
export function toPng(bytes: Uint8Array, maxPixels: number, param: string, signal: AbortSignal, secs = slowestSecs): Promise<Uint8Array> {
  // Read once and by the engine next door: a small effort gets most of the size.
  return decode(bytes, { maxPixels, param, signal, secs }, (image) => image.png({ compressionLevel: 2, palette: false }).toBuffer())
}

/** The same picture as pixels; alpha is dropped, not blended, unless it is asked for. Rejects like toPng. */
export function toPixels(bytes: Uint8Array, maxPixels: number, param: string, signal: AbortSignal, alpha = false): Promise<Pixels> {
  return decode(bytes, { maxPixels, param, signal, secs: slowestSecs }, async (image) => {
    const { data, info } = await (alpha ? image.ensureAlpha() : image.removeAlpha()).raw().toBuffer({ resolveWithObject: true })
    return { data, width: info.width, height: info.height, channels: alpha ? 4 : 3 }
  })
}

interface Limits {
  maxPixels: number
  param: string
  signal: AbortSignal
  secs: number
}

async function decode<T>(bytes: Uint8Array, { maxPixels, param, signal, secs }: Limits, write: (image: Sharp) => Promise<T>): Promise<T> {
  const kind = sniff(bytes)
  if (kind === undefined) {
    const what = describe(bytes)
    throw invalid(param, `${what ? `is ${what}` : 'is no picture'}; PNG, JPEG, WebP and GIF are read`)
  }
  const sharp = await imageCodec()
  // `error` takes files with small faults that every viewer shows, and refuses those that end too early.
  const open = () => sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, pages: 1, animated: false })
  let head: Metadata
  try {
    head = await open().metadata()
  } catch (cause) {
    // sharp's own limit is the same number, told as it reads the head.
    if (/pixel limit/.test((cause as Error).message)) throw tooManyPixels(param, maxPixels)
    throw invalid(param, `is a broken ${kind.toUpperCase()} file`, cause)
  }
  if (head.width * (head.pageHeight ?? head.height) > maxPixels) throw tooManyPixels(param, maxPixels)
  try {
    // The library cannot be told to stop: a decoding under way that nobody waits for ends by itself, or by its limit.
    return await decoding(() => write(open().autoOrient().toColourspace('srgb').timeout({ seconds: secs })), signal)
  } catch (cause) {
    if (signal.aborted) throw new AppError('client_closed_request', { param, message: 'The client went away.' })
    if (/^timeout/.test((cause as Error).message)) {
      const message = `The image at ${param} was not decoded within ${secs} seconds. The server may be busy: try again, or with a smaller image.`
      throw new AppError('overloaded', { param, message, cause })
    }
    throw invalid(param, `is a broken or cut-off ${kind.toUpperCase()} file`, cause)
  }
}

function invalid(param: string, why: string, cause?: unknown): AppError {
  return new AppError('invalid_image', { param, message: `The image at ${param} ${why}.`, cause })
}

function tooManyPixels(param: string, maxPixels: number): AppError {
  return invalid(param, `has more than ${Number((maxPixels / 1e6).toPrecision(3))} megapixels, the most that is read`)
}
