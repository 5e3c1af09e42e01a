// The diffusion role's messages (bridge/diffusion/WIRE.md): their numbers, their packing, their shapes.
import type { DiffusionInfo, DiffusionRequest } from '../../diffusion/diffusion.ts'
import { framed } from '../frames.ts'

export const toUs = { step: 50, preview: 51, frames: 52, done: 53, failed: 54, reply: 120 } as const
const toBridge = { helloAck: 1, generate: 10, cancel: 12 } as const

export interface DiffusionReady {
  sglang: string
  model_path: string
  /** `image`, `video`, or SGLang's name of another task. */
  makes: string
  pipeline: string
  defaults: DiffusionInfo['defaults']
  replicas: number
  takes_images: boolean
  needs_images: boolean
  size_multiple: number
  frame_multiple: number
  workers: number[]
  hooks: string[]
  load_secs: number
}

export type Step = [type: number, job: number, output: number, done: number, total: number]
export type Preview = [
  type: number,
  job: number,
  output: number,
  done: number,
  family: 'flux' | 'wan21',
  channels: number,
  height: number,
  width: number,
  data: Uint8Array,
]
export type FramesTold = [
  type: number,
  job: number,
  output: number,
  path: string,
  count: number,
  height: number,
  width: number,
  first: number,
  end: number,
]
export type Done = [
  type: number,
  job: number,
  { stages: { textMs?: number; denoiseMs?: number; decodeMs?: number; copyMs?: number }; peakMemoryMb: number | null },
]
export type FailureKind = 'cancelled' | 'rejected' | 'out_of_memory' | 'failed'
export type Failed = [type: number, job: number, kind: FailureKind, errorType: string, message: string]

export function helloAckFrame(): Uint8Array {
  return framed([toBridge.helloAck, {}])
}

/** What is absent stays so: the model decides. */
export function generateFrame(job: number, request: DiffusionRequest, makes: 'image' | 'video'): Uint8Array {
  const params: Record<string, unknown> = {
    prompt: request.prompt,
    width: request.width,
    height: request.height,
    num_inference_steps: request.steps,
    guidance_scale: request.guidance,
    // As a bigint it stays a whole number on the wire.
    seed: BigInt(request.seed),
    num_outputs_per_prompt: request.outputs,
  }
  if (request.negativePrompt !== undefined) params.negative_prompt = request.negativePrompt
  if (makes === 'video') {
    params.num_frames = request.frames
    if (request.fps !== undefined) params.fps = request.fps
  }
  return framed([
    toBridge.generate,
    job,
    { id: request.requestId, params, extra: request.extra ?? {}, images: request.images ?? [], preview_every: request.previewEvery },
  ])
}

export function cancelFrame(job: number): Uint8Array {
  return framed([toBridge.cancel, job])
}

export function toInfo(ready: DiffusionReady): DiffusionInfo {
  return {
    kind: 'sglang',
    version: ready.sglang,
    modelPath: ready.model_path,
    makes: ready.makes === 'video' ? 'video' : 'image',
    pipeline: ready.pipeline,
    defaults: ready.defaults,
    replicas: ready.replicas,
    takesImages: ready.takes_images,
    sizeMultiple: ready.size_multiple,
    frameMultiple: ready.frame_multiple,
  }
}
