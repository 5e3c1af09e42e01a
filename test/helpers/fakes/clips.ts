// A media pipeline that makes clips as a test tells it to: for jobs and the handlers of /v1/videos alone.
import { AppError } from '../../../src/lib/errors.ts'
import type { EncodedFile, Made, MakerInfo, MediaListener, MediaPipeline, MediaRequest } from '../../../src/pipeline/media/media.ts'

export interface ClipScript {
  info?: Partial<MakerInfo>
  /** Default 4. */
  steps?: number
  /** Milliseconds of a step; default 0. */
  paceMs?: number
  /** Jobs before this one, told first. */
  ahead?: number
  /** Waits for this before it starts. */
  turn?: Promise<unknown>
  /** Fails with this after so many steps of the first clip; 0: before it starts. */
  fail?: { after: number; error: AppError }
  /** Never goes beyond this step. */
  hangAt?: number
  /** After this many frames of an MJPEG clip it fails. */
  breakAfterFrames?: number
  /** Bytes of a frame's JPEG; default its number as text. */
  frameBytes?: number
  note?: string
}

export interface ScriptedClips extends MediaPipeline {
  readonly requests: MediaRequest[]
  /** Requests that ended by an abort. */
  aborted: number
  /** Requests inside now. */
  inside: number
  /** Steps made, of all requests. */
  steps: number
  script: ClipScript
}

export const clipDefaults = { width: 832, height: 480, steps: 4, guidance: 3, frames: 81, fps: 16 }

/** What output i of a request is made of. */
export const clipBytes = (seed: number, output: number) => `clip of seed ${seed + output}`

export function scriptedClips(script: ClipScript = {}): ScriptedClips {
  const info = (): MakerInfo => ({
    ...{ makes: 'video', defaults: clipDefaults, takesImages: true, sizeMultiple: 16, frameMultiple: 4, replicas: 1 },
    ...clips.script.info,
  })

  async function make(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
    clips.requests.push(request)
    clips.inside++
    try {
      return await run(request, listener, signal)
    } finally {
      clips.inside--
    }
  }

  async function run(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
    const { ahead, turn, fail, hangAt, breakAfterFrames, paceMs = 0, note } = clips.script
    const { defaults } = info()
    const { width = defaults.width, height = defaults.height, frames = defaults.frames, fps = defaults.fps, seed = 42 } = request
    const steps = request.steps ?? clips.script.steps ?? 4
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    const check = () => {
      if (!signal.aborted) return
      clips.aborted++
      throw new AppError('client_closed_request', { message: 'The request was cancelled.' })
    }
    if (ahead !== undefined) listener.queued?.(ahead)
    if (turn !== undefined) await Promise.race([turn, aborted])
    check()
    if (fail?.after === 0) throw fail.error
    listener.started?.('maker-0')
    const files: EncodedFile[] = []
    for (let output = 0; output < request.outputs; output++) {
      for (let step = 1; step <= steps; step++) {
        if (hangAt === step) await aborted
        else await Bun.sleep(paceMs)
        check()
        clips.steps++
        listener.progress?.(step, steps, output, (output * steps + step) / (request.outputs * steps))
        if (output === 0 && fail?.after === step) throw fail.error
        if (step <= request.partials && step < steps) listener.partial?.(output, step - 1, file('jpg', 'image/jpeg', `preview ${step}`, 1))
      }
      if (request.format.type === 'mjpeg')
        for (let frame = 0; frame < frames; frame++) {
          await Bun.sleep(0)
          check()
          if (frame === breakAfterFrames) throw new AppError('engine_failed', { message: 'It broke.' })
          listener.frame?.(frame, new TextEncoder().encode(String(frame).padEnd(clips.script.frameBytes ?? 0, 'x')))
        }
      files.push(file('mp4', 'video/mp4', clipBytes(seed, output), frames))
      listener.output?.(output, files[output]!)
    }
    const ms = { queued: 5, engine: 1500, encode: 10, total: 1515 }
    return {
      ...{ model: 'filmer', workerId: 'maker-0', files, seed, width, height, steps, guidance: 3, frames, fps, ms },
    }

    function file(extension: string, contentType: string, text: string, count: number): EncodedFile {
      const bytes = new TextEncoder().encode(text)
      return { bytes, contentType, extension, width, height, frames: count, fps, ...(note === undefined ? {} : { note }) }
    }
  }

  const clips: ScriptedClips = {
    ...{ script, requests: [], aborted: 0, inside: 0, steps: 0 },
    models: () => [{ id: 'filmer', aliases: ['org/filmer'], createdSecs: 1_700_000_000, makes: 'video' }],
    ready: () => true,
    info(kind, model) {
      if (kind !== 'video' || !['filmer', 'org/filmer', undefined].includes(model))
        throw new AppError('model_not_found', { message: `The model '${model}' is not served here.`, param: 'model' })
      return { ...info(), id: 'filmer' }
    },
    make,
    control: async () => [],
  }
  return clips
}
