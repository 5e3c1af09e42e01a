// Seam: something that turns a prompt into pixels. `mock` and `sglang` stand behind it; test/suites/diffusion.suite.ts holds them.
import type { Frames } from '../../media/frames.ts'

export interface DiffusionEngine {
  /** Known once `start` has resolved; kept while the engine restarts. */
  readonly info: DiffusionInfo
  readonly ready: boolean
  /** Resolves when the engine can make pictures. Rejects with a start-up AppError; later crashes are repaired inside and told by `state` events. */
  start(): Promise<DiffusionInfo>
  /**
   * Makes all outputs of one request; resolves after the last frame was told. At most `info.replicas` may run at a time: queues are the caller's.
   * An aborted `signal` ends the work before the next step; then, and on every failure, it rejects with an AppError and no frame stays behind:
   * `client_closed_request` (aborted), `engine_rejected` (the engine refuses the parameters), `out_of_memory`, `engine_failed`, `engine_unavailable`.
   */
  generate(request: DiffusionRequest, listener: DiffusionListener, signal: AbortSignal): Promise<DiffusionDone>
  /** A named engine operation (`set_lora`, `merge_lora_weights`, `unmerge_lora_weights`, `list_loras`, …); rejects with an AppError. */
  control(name: string, args: Record<string, unknown>): Promise<unknown>
  /** Requests inside the engine now. */
  inFlight(): number
  /** Subscribes; the returned function ends it. */
  on(listener: (event: DiffusionEvent) => void): () => void
  /** Lets what runs finish until `deadlineMs` from now, aborts the rest, ends every process it started. Idempotent. */
  stop(deadlineMs: number): Promise<void>
}

/** `ready: false` while starting, restarting or stopped; `reason` is for people. */
export type DiffusionEvent = { kind: 'state'; ready: boolean; reason: string }

export interface DiffusionRequest {
  /** Letters, digits, `-` and `_` only: it may become a file name. */
  requestId: string
  prompt: string
  negativePrompt?: string
  /** Pixels. The engine may round to its own multiples; `Frames` tells what came. */
  width: number
  height: number
  /** Denoising steps. */
  steps: number
  guidance: number
  seed: number
  /** How many images or clips; output i has the seed `seed + i`. */
  outputs: number
  /** Of a clip; an image has 1. */
  frames: number
  fps?: number
  /** Images to start from, as PNG files, upright; only when `info.takesImages`. */
  images?: readonly Uint8Array[]
  /** Tell a preview after every so many steps; 0: none. */
  previewEvery: number
  /** The engine's own sampling parameters, passed on as they are (`true_cfg_scale`, `flow_shift`, …). */
  extra?: Readonly<Record<string, unknown>>
}

/** Called synchronously from the engine's read loop: must not throw, must not block. Nothing is called after `generate` has settled. */
export interface DiffusionListener {
  /** After each denoising step: `step` counts from 1 to `steps`, for each output on its own where the engine makes them one by one. */
  progress(output: number, step: number, steps: number): void
  /** What the picture would look like now. The bytes are the engine's own: copy what is kept. */
  preview?(output: number, step: number, latents: Latents): void
  /**
   * Frames [first, end) of `output` are in `clip`; each output's come in order, some at a time or all at once.
   * Whoever is told owns the clip: it must be released, also when the job fails afterwards.
   */
  frames(output: number, clip: Frames, first: number, end: number): void
}

/** Predicted clean latents (x0), normalised as the model has them. */
export interface Latents {
  /** Whose colour factors fit (kernels/latent-preview). */
  family: 'flux' | 'wan21'
  /** Row-major [channels, height, width] of one latent frame (the middle one of a clip), 16 channels; a latent pixel stands for 8x8 pixels. */
  data: Float32Array
  channels: number
  width: number
  height: number
}

export interface DiffusionDone {
  /** Milliseconds inside the engine, as far as it tells. */
  stages: { textMs?: number; denoiseMs?: number; decodeMs?: number; copyMs?: number }
  peakMemoryMb?: number
}

export interface DiffusionInfo {
  kind: 'sglang' | 'mock'
  version: string
  modelPath: string
  makes: 'image' | 'video'
  /** `_class_name` of model_index.json. */
  pipeline: string
  /** What an open field of a request means for this model. */
  defaults: { width: number; height: number; steps: number; guidance: number; frames: number; fps: number; negativePrompt?: string }
  /** Jobs that really run at the same time (data-parallel replicas). */
  replicas: number
  takesImages: boolean
  /** Width and height must be multiples of it. */
  sizeMultiple: number
  /** A clip's frames must be a multiple of it plus one (Wan: 4); 1: any number. */
  frameMultiple: number
}
