// Clips of strangers to pixels of some of their frames, by the user's ffmpeg: known containers only, counted before anything is decoded, one frame in memory at a time.
import { AppError } from '../../../lib/errors.ts'
import { textOf } from '../../video/process-group.ts'
import { atMost } from '../at-most.ts'
import { describe } from '../sniff.ts'
import { ClipFailure, type ClipFile, ffmpegOutput, noFfmpeg, openClipFile } from './child.ts'
import { claimedFrames } from './claims.ts'
import { containerOf, knownContainers } from './containers.ts'
import type { ClipLimits } from './limits.ts'
import { type Frame, pixmaps } from './pixmaps.ts'
import { listPackets, PacketList, type Timeline } from './timeline.ts'

/** An open clip. */
export interface OpenClip {
  readonly timeline: Timeline
  /** The frames at `positions` (ascending), upright, in order; all of one size. Rejects with `invalid_image` when the file has fewer than its index says. */
  frames(positions: readonly number[]): AsyncGenerator<Frame>
}

export interface ClipContext {
  limits: ClipLimits
  /** Width times height of a frame. */
  maxPixels: number
  param: string
  signal: AbortSignal
}

/** Each takes two cores, a file's worth of memory, and the child's. */
const decoding = atMost(2)

/** Bytes that a child may have. Clips of 4K and 8K take a tenth of it while they are listed (H.264, HEVC, AV1, VP9); an index of the most frames takes 30 MB. */
const listingMemory = 512e6
/** And more for each pixel of a frame while they are decoded: measured are up to 35 in 8K (HEVC of 10 bits); newer builds keep frames between their threads. */
const perPixel = 64

/**
 * Reads the clip's index and lets `use` look at its frames; what was taken is given back when that ends. Rejects with `invalid_image` for what is no clip, is broken,
 * too long, too large or too slow to decode, with `unsupported_parameter` where there is no ffmpeg, and with `client_closed_request`; each names `param`.
 */
export function withClip<T>(bytes: Uint8Array, context: ClipContext, use: (clip: OpenClip) => Promise<T>): Promise<T> {
  const { limits, param, signal } = context
  const container = containerOf(bytes)
  if (container === undefined) {
    const what = describe(bytes)
    return Promise.reject(invalid(param, `is ${what ?? 'no video file'}; read are ${knownContainers}`))
  }
  const ffmpeg = limits.ffmpeg === null ? null : Bun.which(limits.ffmpeg)
  if (ffmpeg === null) return Promise.reject(noFfmpeg(param))
  const claimed = container.demuxer === 'mov' ? claimedFrames(bytes) : 0
  if (claimed > limits.maxFrames)
    return Promise.reject(invalid(param, `claims to have ${claimed} frames; ${limits.maxFrames} are the most that are read`))
  return decoding(async () => {
    const file = openClipFile(bytes, container.demuxer)
    try {
      const timeline = await timelineOf(ffmpeg, file, context)
      return await use({ timeline, frames: (positions) => framesOf(ffmpeg, file, timeline, positions, context) })
    } catch (thrown) {
      if (thrown instanceof ClipFailure && thrown.words.some((line) => noPicture.test(line)))
        throw invalid(param, 'has no picture track: there is nothing in it to look at', thrown)
      if (thrown instanceof ClipFailure) throw invalid(param, `is a broken or cut-off ${container.title} file`, thrown)
      throw thrown
    } finally {
      file.close()
    }
  }, signal).catch((thrown) => {
    throw signal.aborted ? new AppError('client_closed_request', { param, message: 'The client went away.' }) : thrown
  })
}

/** How ffmpeg says that the file can be read and has no such stream. */
const noPicture = /stream map '[^']*' matches no streams/i

async function timelineOf(ffmpeg: string, file: ClipFile, { limits, maxPixels, param, signal }: ClipContext): Promise<Timeline> {
  const { maxFrames, maxSecs, timeoutMs } = limits
  const list = new PacketList()
  for await (const piece of ffmpegOutput({ ffmpeg, file, output: listPackets, timeoutMs, memory: listingMemory, param, signal })) {
    list.push(piece)
    if (list.frames > maxFrames) throw invalid(param, `has more than ${maxFrames} frames, the most that are read`)
    if (list.secs > maxSecs) throw invalid(param, `is longer than ${maxSecs} seconds, the longest that is read`)
  }
  const timeline = list.result()
  if (timeline.frames === 0) throw invalid(param, 'has no frames')
  if (timeline.fps <= 0) throw invalid(param, 'does not say how fast its frames follow each other')
  if (timeline.width * timeline.height > maxPixels) throw tooManyPixels(param, maxPixels)
  return timeline
}

async function* framesOf(
  ffmpeg: string,
  file: ClipFile,
  size: Pick<Timeline, 'width' | 'height'>,
  positions: readonly number[],
  context: ClipContext,
): AsyncGenerator<Frame> {
  const { limits, maxPixels, param, signal } = context
  const run = {
    ...{ ffmpeg, file, timeoutMs: limits.timeoutMs, param, signal },
    memory: listingMemory + perPixel * size.width * size.height,
    input: ['-max_pixels', String(maxPixels), '-reinit_filter', '0'],
    output: [
      '-map',
      '0:V:0',
      '-vf',
      picked(positions),
      ...(await everyFrame(ffmpeg)),
      '-c:v',
      'ppm',
      '-pix_fmt',
      'rgb24',
      '-threads',
      '1',
      '-f',
      'image2pipe',
    ],
  }
  let count = 0
  let first: Frame | undefined
  for await (const frame of pixmaps(ffmpegOutput(run))) {
    first ??= frame
    if (frame.width !== first.width || frame.height !== first.height) throw invalid(param, 'changes the size of its frames on the way')
    count++
    yield frame
    // Those after the last one are not decoded.
    if (count === positions.length) return
  }
  throw invalid(param, `ends early: of the ${positions.length} frames to look at, ${count} could be decoded`)
}

/** ffmpeg's filter that lets these frames through, counted as they are shown. Commas part filters unless they are quoted. */
export function picked(positions: readonly number[]): string {
  return `select='${anyOf(positions, 0, positions.length)}'`
}

/** Halves of halves: a plain sum of a few hundred terms is deeper than ffmpeg's parser goes. */
function anyOf(positions: readonly number[], start: number, end: number): string {
  if (end - start === 1) return `eq(n,${positions[start]})`
  const middle = (start + end) >> 1
  return `if(lt(n,${positions[middle]}),${anyOf(positions, start, middle)},${anyOf(positions, middle, end)})`
}

const words = new Map<string, Promise<readonly string[]>>()

/** How this ffmpeg is told neither to drop nor to repeat frames: 5.1 and later have a new word for it, and the newest no longer know the old one. */
function everyFrame(ffmpeg: string): Promise<readonly string[]> {
  const found =
    words.get(ffmpeg) ?? versionOf(ffmpeg).then((version) => (version < 5.1 ? ['-vsync', 'passthrough'] : ['-fps_mode', 'passthrough']))
  words.set(ffmpeg, found)
  found.catch(() => words.delete(ffmpeg))
  return found
}

/** Infinity for builds without a number (`N-12345-g…`, which are young). */
async function versionOf(ffmpeg: string): Promise<number> {
  const said = /^ffmpeg version n?(\d+\.\d+)/.exec(await textOf([ffmpeg, '-version']))
  return said === null ? Number.POSITIVE_INFINITY : Number(said[1])
}

function invalid(param: string, why: string, cause?: unknown): AppError {
  return new AppError('invalid_image', { param, message: `The clip at ${param} ${why}.`, cause })
}

function tooManyPixels(param: string, maxPixels: number): AppError {
  return invalid(param, `has frames of more than ${Number((maxPixels / 1e6).toPrecision(3))} megapixels, the most that is read`)
}
