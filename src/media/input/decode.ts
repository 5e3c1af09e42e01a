// Files of strangers to upright pictures: known formats only, sizes checked by the file's head, the first frame of an animation.
import type { Metadata, Sharp } from 'sharp'
import { AppError } from '../../lib/errors.ts'
import { imageCodec } from '../image/codec.ts'
import { atMost } from './at-most.ts'
import { jpegScans } from './jpeg-scans.ts'
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

/**
 * The picture as vision models were trained on it, which is as Pillow reads it: colour profiles are ignored, CMYK is turned by plain arithmetic, alpha is
 * dropped, not blended. Two things are otherwise: EXIF's orientation is applied, and gray of 16 bits keeps its high byte, as every viewer shows it, where Pillow
 * makes nearly all of it white. Rejects like toPng.
 */
export function toModelPixels(bytes: Uint8Array, maxPixels: number, param: string, signal = new AbortController().signal): Promise<Pixels> {
  return useModelPixels(bytes, maxPixels, param, signal, async (pixels) => pixels)
}

/** What `use` makes of these pixels. They count as being decoded until then, so that only a few pictures of this size are in memory at a time. */
export function useModelPixels<T>(
  bytes: Uint8Array,
  maxPixels: number,
  param: string,
  signal: AbortSignal,
  use: (pixels: Pixels, head: Metadata) => Promise<T>,
): Promise<T> {
  const write = async (image: Sharp, head: Metadata): Promise<T> => {
    const inks = head.space === 'cmyk'
    const plain = inks ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.removeAlpha()
    const { data, info } = await plain.raw().toBuffer({ resolveWithObject: true })
    return use({ data: inks ? inksToRgb(data) : data, width: info.width, height: info.height, channels: 3 }, head)
  }
  return decode(bytes, { maxPixels, param, signal, secs: slowestSecs, ignoreIcc: true }, write)
}

/** Black is taken off first, then the share of each ink of what is left: (255 - k)(1 - c / 255), rounded. */
function inksToRgb(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray((inks.length / 4) * 3)
  for (let from = 0, to = 0; from < inks.length; from += 4, to += 3) {
    const light = 255 - inks[from + 3]!
    for (let channel = 0; channel < 3; channel++) {
      const product = inks[from + channel]! * light + 128
      rgb[to + channel] = light - (((product >> 8) + product) >> 8)
    }
  }
  return new Uint8Array(rgb.buffer)
}

/** JPEG's own limit, GIF's too. A PNG of some kilobytes may have millions of rows, and a row takes its time however short it is. */
const longestSide = 65_535

/** Ten times what encoders write. At the default limit of pixels that many take about a second. */
const mostScans = 100

interface Limits {
  maxPixels: number
  param: string
  signal: AbortSignal
  secs: number
  ignoreIcc?: boolean
}

type Write<T> = (image: Sharp, head: Metadata) => Promise<T>

async function decode<T>(bytes: Uint8Array, limits: Limits, write: Write<T>): Promise<T> {
  const { maxPixels, param, signal, secs, ignoreIcc = false } = limits
  const kind = sniff(bytes)
  if (kind === undefined) {
    const what = describe(bytes)
    throw invalid(param, `${what ? `is ${what}` : 'is no picture'}; PNG, JPEG, WebP and GIF are read`)
  }
  if (kind === 'jpeg' && jpegScans(bytes) > mostScans)
    throw invalid(param, `is painted over more than ${mostScans} times; save it as a usual JPEG`)
  const sharp = await imageCodec()
  // `error` takes files with small faults that every viewer shows, and refuses those that end too early.
  const open = () => sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, pages: 1, animated: false, ignoreIcc })
  let head: Metadata
  try {
    head = await open().metadata()
  } catch (cause) {
    // sharp's own limit is the same number, told as it reads the head.
    if (/pixel limit/.test((cause as Error).message)) throw tooManyPixels(param, maxPixels)
    throw invalid(param, `is a broken ${kind.toUpperCase()} file`, cause)
  }
  const height = head.pageHeight ?? head.height
  if (head.width * height > maxPixels) throw tooManyPixels(param, maxPixels)
  if (Math.max(head.width, height) > longestSide)
    throw invalid(param, `is ${head.width}x${height}; no side may be longer than ${longestSide} pixels`)
  try {
    // The library cannot be told to stop: a decoding under way that nobody waits for ends by itself, or by its limit.
    return await decoding(() => write(open().autoOrient().toColourspace('srgb').timeout({ seconds: secs }), head), signal)
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
