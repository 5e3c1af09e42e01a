// The words between the handlers of /v1/images and /v1/videos and what makes images and clips: no HTTP above, no pixels below.

/** One request for images or clips, checked; what is absent the model decides. */
export interface MediaRequest {
  requestId: string
  /** As the client wrote it; absent: the first model that makes this kind. */
  model?: string
  kind: 'image' | 'video'
  prompt: string
  negativePrompt?: string
  width?: number
  height?: number
  steps?: number
  guidance?: number
  /** Absent: a random one, which the answer tells. */
  seed?: number
  /** How many images or clips, at least 1. */
  outputs: number
  /** Of a clip. `frames` wins over `seconds`. */
  frames?: number
  seconds?: number
  fps?: number
  /** PNG files, upright. */
  images: readonly Uint8Array[]
  /** PNG with alpha: transparent pixels are to be made anew. */
  mask?: Uint8Array
  format: OutputFormat
  /** Previews of each image while it is made, 0 to 3; of clips any. */
  partials: number
  extra: Readonly<Record<string, unknown>>
}

/** How results are written. `compression`: 0 to 100, quality of jpeg and webp, effort of png; absent: the format's default. */
export interface OutputFormat {
  type: 'png' | 'jpeg' | 'webp' | 'mp4' | 'mjpeg'
  compression?: number
  /** `transparent` is only for formats with alpha. */
  background?: 'auto' | 'opaque' | 'transparent'
}

/** A finished file. Memory, not a path: images are small, and clips are compressed. */
export interface EncodedFile {
  bytes: Uint8Array
  contentType: string
  /** Without a dot. */
  extension: string
  width: number
  height: number
  frames: number
  fps?: number
  /** What its maker wants users to know ("no ffmpeg: an animated WebP instead of MP4"). */
  note?: string
}

/** All optional, called as things happen, never after `make` has settled. Must not throw. */
export interface MediaListener {
  /** Jobs before this one; 0: it is next. */
  queued?(ahead: number): void
  started?(workerId: string): void
  /** `done` of `total` over all outputs and steps: 0 to 1 of the denoising work. */
  progress?(step: number, steps: number, output: number, fraction: number): void
  /** Preview `index` (from 0) of an output: a small image in the request's format. */
  partial?(output: number, index: number, file: EncodedFile): void
  /** An output is finished, in order. */
  output?(index: number, file: EncodedFile): void
  /** `mjpeg`: each frame of the clip as a JPEG, as soon as there is one. */
  frame?(index: number, jpeg: Uint8Array): void
}

export interface Made {
  /** The model's id. */
  model: string
  workerId: string
  files: EncodedFile[]
  /** Of the first output; output i has `seed + i`. */
  seed: number
  width: number
  height: number
  steps: number
  guidance: number
  frames: number
  fps?: number
  /** Where the time went. */
  ms: { queued: number; engine: number; encode: number; total: number }
  /** Of `ms.engine`, as far as the engine tells. */
  engineMs?: { text?: number; denoise?: number; decode?: number; copy?: number }
  peakMemoryMb?: number
}

/** Makes media: one engine of this process with its queue, or a worker elsewhere. */
export interface MediaMaker {
  readonly id: string
  readonly info: MakerInfo
  readonly ready: boolean
  /** Jobs that wait or run. */
  pending(): number
  /** Waits for its turn, makes, encodes. Rejects with an AppError; an aborted `signal` frees the turn at once and the engine before its next step. */
  make(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made>
  /** LoRA and the like, by SGLang's names. */
  control(name: string, args: Record<string, unknown>): Promise<unknown>
}

/** What handlers must know of a maker to check a request before it waits. */
export interface MakerInfo {
  makes: 'image' | 'video'
  defaults: { width: number; height: number; steps: number; guidance: number; frames: number; fps: number }
  takesImages: boolean
  /** `mask` of a request is honoured; absent: no. */
  takesMask?: boolean
  sizeMultiple: number
  frameMultiple: number
  replicas: number
  /** Jobs that may wait there; absent: it does not tell. */
  queueLimit?: number
}

export interface ServedMedia {
  id: string
  aliases: readonly string[]
  createdSecs: number
  makes: 'image' | 'video'
}

/** What the handlers of openai/ may ask. */
export interface MediaPipeline {
  models(): readonly ServedMedia[]
  /** True when some maker of the kind can take a job now. */
  ready(kind: 'image' | 'video'): boolean
  /** The maker's facts for a model name (or the first of the kind); throws `model_not_found`, `engine_unavailable`. */
  info(kind: 'image' | 'video', model: string | undefined): MakerInfo & { id: string }
  /** Rejects with an AppError. */
  make(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made>
  /** To every maker of the model (absent: all); one failure fails it. */
  control(model: string | undefined, name: string, args: Record<string, unknown>): Promise<unknown[]>
}
