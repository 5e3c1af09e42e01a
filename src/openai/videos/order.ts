// A checked body as the request for the media pipeline: size, frames and seconds against what the model can do, with the numbers that would be right.
import { AppError } from '../../lib/errors.ts'
import { fitFrames } from '../../pipeline/media/maker/fill.ts'
import type { MakerInfo, MediaRequest } from '../../pipeline/media/media.ts'
import { DEFAULT_MAX_PIXELS } from '../media/api.ts'
import { largerSide, type Size, sizeOf } from '../media/size.ts'
import { invalid } from '../request/faults.ts'
import { passedOn, type VideoBody } from '../schema/videos.ts'
import { DEFAULT_MAX_PIXEL_FRAMES, type VideosApi } from './api.ts'

export interface VideoOrder {
  request: MediaRequest
  /** What it comes to before it is made. */
  shown: { model: string; prompt: string; width: number; height: number; frames: number; fps: number; seconds: string }
}

type Info = MakerInfo & { id: string }
type Limits = Pick<VideosApi, 'maxPixels' | 'maxPixelFrames'>

/** Faults that need no image: called before one is fetched. Gives the size that was asked for. Throws `invalid_value`, `unsupported_parameter`. */
export function checkTogether(body: VideoBody, hasImage: boolean, info: Info, limits: Limits): Size | undefined {
  const size = sizeOf(body, info, limits.maxPixels ?? DEFAULT_MAX_PIXELS)
  if (body.partial_images && body.stream !== true) throw invalid('partial_images', "previews are only for 'stream': true")
  if (body.stream === true && body.background === true)
    throw invalid('background', "a job is asked for its progress; give either 'stream' or 'background'")
  if (hasImage && !info.takesImages)
    throw new AppError('unsupported_parameter', {
      message: `'input_reference' is not supported: the model '${info.id}' makes videos from a prompt alone.`,
      param: 'input_reference',
    })
  checkAmount(body, size ?? info.defaults, info, limits)
  return size
}

/** `size` where the request or its image says one. Throws `invalid_value`. */
export function orderOf(body: VideoBody, size: Size | undefined, images: readonly Uint8Array[], info: Info, limits: Limits): VideoOrder {
  const { nvext } = body
  const { width, height } = size ?? info.defaults
  const { frames, fps, seconds } = lengthOf(body, info)
  checkAmount(body, { width, height }, info, limits)
  const request: MediaRequest = {
    requestId: '',
    kind: 'video',
    model: info.id,
    prompt: body.prompt,
    outputs: body.n ?? 1,
    frames,
    fps,
    images,
    format: { type: 'mp4' },
    partials: body.stream === true ? (body.partial_images ?? 0) : 0,
    extra: extraOf(body),
  }
  if (size !== undefined) Object.assign(request, { width, height })
  const steps = nvext?.num_inference_steps ?? body.num_inference_steps
  if (steps != null) request.steps = steps
  const guidance = nvext?.guidance_scale ?? body.guidance_scale
  if (guidance != null) request.guidance = guidance
  const seed = nvext?.seed ?? body.seed
  if (seed != null) request.seed = seed
  const negative = nvext?.negative_prompt ?? body.negative_prompt
  if (negative != null) request.negativePrompt = negative
  return { request, shown: { model: info.id, prompt: body.prompt, width, height, frames, fps, seconds } }
}

interface Length {
  frames: number
  fps: number
  /** As the client wrote it, else frames by fps. */
  seconds: string
}

function lengthOf(body: VideoBody, info: MakerInfo): Length {
  const fps = body.nvext?.fps ?? body.fps ?? info.defaults.fps
  const frames = body.nvext?.num_frames ?? body.num_frames
  if (frames != null) {
    checkFrames(frames, framesParam(body), info.frameMultiple)
    return { frames, fps, seconds: trimmed(frames / fps) }
  }
  if (body.seconds == null) return { frames: info.defaults.frames, fps, seconds: trimmed(info.defaults.frames / fps) }
  const seconds = Number(body.seconds)
  if (seconds === 0) throw invalid('seconds', 'it must be greater than 0')
  return { frames: fitFrames(seconds * fps, info.frameMultiple), fps, seconds: String(body.seconds) }
}

function checkFrames(frames: number, param: string, multiple: number): void {
  const below = Math.floor((frames - 1) / multiple) * multiple + 1
  if (below === frames) return
  throw invalid(
    param,
    `it must be a multiple of ${multiple} plus one for this model, which makes ${multiple} frames out of one latent frame; the nearest to ${frames} are ${below} and ${below + multiple}`,
  )
}

/** What one request may cost in memory and time. */
function checkAmount(body: VideoBody, size: Size, info: MakerInfo, limits: Limits): void {
  const { width, height } = size
  const { frames } = lengthOf(body, info)
  const clips = body.n ?? 1
  const most = limits.maxPixelFrames ?? DEFAULT_MAX_PIXEL_FRAMES
  const pixels = width * height * frames * clips
  if (pixels <= most) return
  const param = clips > 1 && pixels / clips <= most ? 'n' : amountParam(body, size, most, info)
  const what = `${clips === 1 ? '' : `${clips} clips of `}${frames} frames of ${width}x${height}`
  const fit = Math.floor(most / (width * height * clips))
  throw invalid(param, `${what} are ${pixels} pixels, and at most ${most} can be made for one request: ${fit} frames of that size`)
}

/** What made the clip so large: its size, when not even as many frames as the model makes by itself fit, else its length. */
function amountParam(body: VideoBody, size: Size, most: number, info: MakerInfo): string {
  const few = Math.min(lengthOf(body, info).frames, info.defaults.frames)
  if (size.width * size.height * few > most) {
    if (body.size != null && body.size !== '' && body.size !== 'auto') return 'size'
    if (body.width != null) return largerSide(size)
  }
  return framesGiven(body) || body.seconds == null ? framesParam(body) : 'seconds'
}

function framesGiven(body: VideoBody): boolean {
  return body.nvext?.num_frames != null || body.num_frames != null
}

function framesParam(body: VideoBody): string {
  return body.nvext?.num_frames != null ? 'nvext.num_frames' : 'num_frames'
}

function extraOf(body: VideoBody): Record<string, unknown> {
  const extra: Record<string, unknown> = {}
  for (const name of passedOn) {
    const value = (name in (body.nvext ?? {}) ? body.nvext?.[name as 'boundary_ratio'] : undefined) ?? body[name]
    if (value != null) extra[name] = value
  }
  return extra
}

/** At most three decimals, none that say nothing. */
function trimmed(seconds: number): string {
  return String(Number(seconds.toFixed(3)))
}
