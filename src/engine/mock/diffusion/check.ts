// Which requests the mock refuses: those that SGLang's SamplingParams refuses too.
import { AppError } from '../../../lib/errors.ts'
import type { DiffusionInfo, DiffusionRequest } from '../../diffusion/diffusion.ts'

/** SGLang's sampling parameters that a request may add; what it does not know it refuses by name. */
const extras = new Set([
  'boundary_ratio',
  'cfg_gate_step',
  'cfg_normalization',
  'diffusers_kwargs',
  'enable_cache_dit',
  'enable_frame_interpolation',
  'enable_sequence_shard',
  'enable_teacache',
  'enable_upscaling',
  'flow_shift',
  'frame_interpolation_exp',
  'frame_interpolation_scale',
  'generator_device',
  'guidance_rescale',
  'guidance_scale_2',
  'max_sequence_length',
  'output_compression',
  'output_quality',
  'profile',
  'quality',
  'true_cfg_scale',
  'upscaling_model_path',
  'upscaling_scale',
  'x264_preset',
])

/** Throws AppError `engine_rejected` with what is wrong. */
export function checkRequest(request: DiffusionRequest, info: DiffusionInfo): void {
  const { width, height, steps, frames, fps, outputs, seed, guidance } = request
  for (const [name, value] of Object.entries({ width, height, steps, frames, outputs, fps: fps ?? 1 })) {
    if (!Number.isInteger(value) || value < 1) throw rejected(`${name} must be a positive whole number, not ${value}`)
  }
  if (!Number.isSafeInteger(seed) || seed < 0) throw rejected(`seed must be a whole number of at least 0, not ${seed}`)
  if (!Number.isFinite(guidance) || guidance < 0) throw rejected(`guidance must be a number of at least 0, not ${guidance}`)
  if (info.makes === 'image' && frames !== 1) throw rejected(`an image has one frame, not ${frames}`)
  if (request.images !== undefined && request.images.length > 0 && !info.takesImages) throw rejected(`${info.pipeline} takes no images`)
  if (!/^[A-Za-z0-9_-]+$/.test(request.requestId)) throw rejected(`the request id '${request.requestId}' cannot be a file name`)
  const unknown = Object.keys(request.extra ?? {}).find((name) => !extras.has(name))
  if (unknown !== undefined) throw rejected(`SamplingParams has no parameter '${unknown}'`)
}

function rejected(message: string): AppError {
  return new AppError('engine_rejected', { message })
}
