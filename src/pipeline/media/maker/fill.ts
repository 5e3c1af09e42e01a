// What a request leaves open, filled in with what the model would do; plain rules, no engine.
import type { DiffusionInfo, DiffusionRequest } from '../../../engine/diffusion/diffusion.ts'
import { AppError } from '../../../lib/errors.ts'
import type { MediaRequest } from '../media.ts'

/** Previews to ask for: after every so many steps, the first `count` of them. */
export interface PreviewPlan {
  every: number
  count: number
}

/**
 * `partials` previews spread evenly over the steps, none after the last one (that is the picture itself);
 * fewer when there are not enough steps. 28 steps and 3: after 7, 14 and 21.
 */
export function planPreviews(partials: number, steps: number): PreviewPlan {
  if (partials <= 0 || steps < 2) return { every: 0, count: 0 }
  const every = Math.max(1, Math.floor(steps / (partials + 1)))
  return { every, count: Math.min(partials, Math.ceil(steps / every) - 1) }
}

/** The number of frames that the model makes of `wanted`: a multiple plus one, rounded as SGLang's Wan does (64 becomes 65, 63 becomes 61). */
export function fitFrames(wanted: number, multiple: number): number {
  return multiple <= 1 ? Math.max(1, Math.round(wanted)) : Math.floor(Math.round(wanted) / multiple) * multiple + 1
}

/** Largest seed: SGLang adds an output's number to it, and torch takes 63 bits, but clients' numbers and int32 columns are smaller. */
const seeds = 2 ** 31 - 1024

/**
 * The engine's request. Throws AppError `invalid_value` for frames that the model cannot make and `unsupported_parameter` for images that
 * it does not take. `random` gives [0, 1).
 */
export function fillRequest(request: MediaRequest, info: DiffusionInfo, random: () => number): DiffusionRequest {
  const { defaults } = info
  const steps = request.steps ?? defaults.steps
  const negativePrompt = request.negativePrompt
  if (request.images.length > 0 && !info.takesImages) {
    const message = `This model (${info.pipeline}) makes ${info.makes}s from a prompt alone; it takes no images.`
    throw new AppError('unsupported_parameter', { message, param: request.kind === 'video' ? 'input_reference' : 'image' })
  }
  if (request.mask !== undefined) {
    throw new AppError('unsupported_parameter', {
      message: `This model (${info.pipeline}) cannot repaint a part of an image.`,
      param: 'mask',
    })
  }
  const clip = info.makes === 'video'
  const fps = request.fps ?? defaults.fps
  return {
    requestId: request.requestId.replace(/[^A-Za-z0-9_-]/g, '_'),
    prompt: request.prompt,
    ...(negativePrompt === undefined ? {} : { negativePrompt }),
    width: request.width ?? defaults.width,
    height: request.height ?? defaults.height,
    steps,
    guidance: request.guidance ?? defaults.guidance,
    seed: request.seed ?? Math.floor(random() * seeds),
    outputs: request.outputs,
    frames: clip ? clipFrames(request, info, fps) : 1,
    ...(clip ? { fps } : {}),
    ...(request.images.length > 0 ? { images: request.images } : {}),
    previewEvery: planPreviews(request.partials, steps).every,
    ...(Object.keys(request.extra).length > 0 ? { extra: request.extra } : {}),
  }
}

function clipFrames(request: MediaRequest, info: DiffusionInfo, fps: number): number {
  const multiple = info.frameMultiple
  const { frames, seconds } = request
  if (frames === undefined) return seconds === undefined ? info.defaults.frames : fitFrames(seconds * fps, multiple)
  const below = Math.floor((frames - 1) / multiple) * multiple + 1
  if (below === frames) return frames
  const message = `num_frames must be a multiple of ${multiple} plus one for this model, which packs ${multiple} frames into one latent frame: ${below} or ${below + multiple}, not ${frames}.`
  throw new AppError('invalid_value', { message, param: 'num_frames' })
}
