// A user's clip as engines get it: the frames that are looked at, small and upright, with their times and a name in caches.
import { createHash } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'
import { imageCodec } from '../image/codec.ts'
import { withClip } from '../input/clip/decode.ts'
import type { ClipLimits } from '../input/clip/limits.ts'
import type { Frame } from '../input/clip/pixmaps.ts'
import { toModelPixels } from '../input/decode.ts'
import { readFile } from '../input/input.ts'
import type { InputPolicy } from '../input/policy.ts'
import { inReadingRoom, type Place } from '../input/room.ts'
import type { ClipModel, Plan, SamplingWishes } from './vision.ts'

export interface Clip {
  /** PNG files in time order, all of `width` × `height`: no larger than the model's preprocessing looks at. */
  frames: Uint8Array[]
  width: number
  height: number
  /** Of the whole clip: how many frames, how many a second, and which of them `frames` are. */
  total: number
  fps: number
  positions: readonly number[]
  /** Seconds between sampled frames, by the rate that was asked for. */
  secondsPerFrame: number
  /** The client said which frames, or sent them alone. */
  chosen: boolean
  /** Bytes of what the client sent: the file, or its frames together. */
  sent: number
  /** SHA-256 of the frames' pixels and times, hex. */
  hash: string
  /** The client's own bytes, where `keepFile` was asked for. */
  file?: Uint8Array
}

export interface ClipReading {
  model: ClipModel
  policy: InputPolicy
  limits: ClipLimits
  wishes?: SamplingWishes
  keepFile?: boolean
  param: string
  signal: AbortSignal
  /** Hears what becomes of the clip before more than its first frame is decoded; what it throws ends the reading. */
  onPlan?(plan: Plan): void
}

/** What SGLang samples by, and what frames without a rate are taken for (qwen-vl-utils). */
const usualFps = 2
/** Sampled frames of the longest clip; SGLang's FPS_MAX_FRAMES. */
const mostFrames = 768
/** Frames that are fetched while one is looked at: 768 one after another would take more than their time. */
const fetchedAhead = 4
/** Frames that are packed while the next one is decoded. */
const packedAtOnce = 2

/**
 * A clip by its address (data:, https, file, as the policy allows). Rejects with `invalid_image` for what cannot be had or decoded or is too large, `invalid_value`
 * for addresses and wishes that are refused, `unsupported_parameter` without ffmpeg; each names `param`.
 */
export function readClip(url: string, reading: ClipReading): Promise<Clip> {
  return inReadingRoom(reading.param, reading.signal, (place) => read(url, placed(reading, place)))
}

/** Whatever is fetched and packed counts among the files under way. */
function placed(reading: ClipReading, { signal, take }: Place): ClipReading {
  return { ...reading, signal, policy: { ...reading.policy, onBytes: take } }
}

async function read(url: string, reading: ClipReading): Promise<Clip> {
  const { model, limits, wishes = {}, keepFile = false, param, signal } = reading
  const policy = { ...reading.policy, kind: 'clip', maxBytes: limits.maxBytes, timeoutMs: limits.timeoutMs } as const
  const file = await readFile({ url }, policy, param, signal)
  return withClip(file, { limits, maxPixels: policy.maxPixels, param, signal }, async ({ timeline, frames }) => {
    const { frames: total, fps } = timeline
    const positions = model.sample(total, fps, param, wishes)
    const times = { total, fps, positions, secondsPerFrame: 1 / (wishes.fps ?? usualFps), chosen: Object.keys(wishes).length > 0 }
    const size = () => file.length
    return { ...(await pack(frames(positions), times, size, reading)), ...(keepFile ? { file } : {}) }
  })
}

/**
 * A clip whose frames are pictures, each looked at; `wishes.fps` is the rate at which they were taken. Rejects as above, naming the frame, and naming the clip when
 * the time of one is over.
 */
export function readFrames(pictures: readonly { url: string; param: string }[], reading: ClipReading): Promise<Clip> {
  return inReadingRoom(reading.param, reading.signal, (place) => readInTime(pictures, placed(reading, place)))
}

async function readInTime(pictures: readonly { url: string; param: string }[], reading: ClipReading): Promise<Clip> {
  const { limits, param, signal } = reading
  const ended = new AbortController()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    ended.abort()
  }, limits.timeoutMs)
  try {
    return await readEach(pictures, { ...reading, signal: AbortSignal.any([signal, ended.signal]) })
  } catch (thrown) {
    if (!isLate || signal.aborted) throw thrown
    const message = `The ${pictures.length} frames of the clip at ${param} were not read within ${limits.timeoutMs / 1000} seconds. Send fewer or smaller ones.`
    throw new AppError('invalid_image', { param, message, cause: thrown })
  } finally {
    clearTimeout(timer)
    // Those that were still fetched.
    ended.abort()
  }
}

async function readEach(pictures: readonly { url: string; param: string }[], reading: ClipReading): Promise<Clip> {
  const { wishes = {}, limits, param, signal, policy } = reading
  if (pictures.length > mostFrames)
    throw new AppError('invalid_value', {
      param,
      message: `The clip at ${param} has ${pictures.length} frames; ${mostFrames} is the most.`,
    })
  let sent = 0
  const ahead: Promise<Uint8Array>[] = []
  const fetched = ({ url, param: at }: { url: string; param: string }) => {
    const file = readFile({ url }, policy, at, signal)
    // Awaited in its turn.
    file.catch(() => {})
    return file
  }
  async function* frames(): AsyncGenerator<Frame> {
    let size: Frame | undefined
    for (const [i, { param: at }] of pictures.entries()) {
      for (const next of pictures.slice(i + ahead.length, i + 1 + fetchedAhead)) ahead.push(fetched(next))
      const file = await ahead.shift()!
      sent += file.length
      if (sent > limits.maxBytes) {
        const message = `The frames of the clip at ${param} have more than ${limits.maxBytes / 1e6} MB together, the most that is read; it was reached at ${at}.`
        throw new AppError('invalid_image', { param: at, message })
      }
      const { data: rgb, width, height } = await toModelPixels(file, policy.maxPixels, at, signal)
      size ??= { rgb, width, height }
      if (width !== size.width || height !== size.height) {
        const message = `The frame at ${at} is ${width} × ${height} pixels and the first one of its clip ${size.width} × ${size.height}; send frames of one size.`
        throw new AppError('invalid_image', { param: at, message })
      }
      yield { rgb, width, height }
      if (pictures.length === 1) yield { rgb, width, height }
    }
  }
  const total = pictures.length
  const fps = wishes.fps ?? usualFps
  // Models read two frames at a time, and processors of clips take no less.
  const positions = total === 1 ? [0, 0] : pictures.map((_, i) => i)
  return pack(frames(), { total, fps, positions, secondsPerFrame: 1 / fps, chosen: true }, () => sent, reading)
}

/** One after another, so that only a few large frames are in memory. */
async function pack(
  frames: AsyncIterable<Frame>,
  times: Omit<Clip, 'frames' | 'width' | 'height' | 'hash' | 'sent'>,
  sent: () => number,
  reading: ClipReading,
): Promise<Clip> {
  const sharp = await imageCodec()
  const hash = createHash('sha256')
  const files: Promise<Uint8Array>[] = []
  const size = { width: 0, height: 0 }
  for await (const frame of frames) {
    const { rgb, width, height } = await reading.model.shrink(frame.rgb, frame.width, frame.height, times.positions.length, reading.param)
    if (files.length === 0) reading.onPlan?.(reading.model.plan(times.positions.length, width, height, reading.param))
    Object.assign(size, { width, height })
    hash.update(rgb)
    const raw = { raw: { width, height, channels: 3 } } as const
    const file = sharp(rgb, raw).png({ compressionLevel: 2 }).toBuffer()
    // Awaited in order below; a failure before that must not count as unheard.
    file.catch(() => {})
    files.push(file)
    reading.policy.onBytes?.((await files[files.length - 1 - packedAtOnce])?.length ?? 0)
    if (reading.signal.aborted) throw new AppError('client_closed_request', { param: reading.param, message: 'The client went away.' })
  }
  const { total, fps, positions } = times
  hash.update(JSON.stringify([size, total, fps, positions]))
  return { ...times, ...size, frames: await Promise.all(files), sent: sent(), hash: hash.digest('hex') }
}
