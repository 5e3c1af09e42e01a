// A media pipeline that does what a test tells it to, and a store in memory: for the handlers of /v1/images and /v1/videos alone.
import { AppError } from '../../../src/lib/errors.ts'
import type { MediaStore } from '../../../src/media/store.ts'
import type { EncodedFile, Made, MakerInfo, MediaListener, MediaPipeline, MediaRequest } from '../../../src/pipeline/media/media.ts'

export interface MediaScript {
  info?: Partial<MakerInfo>
  /** Default 4. */
  steps?: number
  /** Milliseconds of a step; default 0. */
  paceMs?: number
  /** Jobs before this one, told first. */
  ahead?: number
  /** Fails with this after so many steps of the first output; 0: at once. */
  fail?: { after: number; error: AppError }
  /** Never goes beyond this step. */
  hangAt?: number
  /** Previews are at least so large. */
  previewBytes?: number
  /** Pictures are at least so large. */
  pictureBytes?: number
}

export interface ScriptedMedia extends MediaPipeline {
  readonly requests: MediaRequest[]
  /** Jobs that ended by an abort. */
  aborted: number
  /** Jobs that were done. */
  made: number
}

const defaults = { width: 128, height: 96, steps: 4, guidance: 3.5, frames: 1, fps: 16 }

/** What output i of a request is made of: its size, its seed, and nothing else. */
export const picture = (request: { seed?: number }, output: number) => `picture of seed ${(request.seed ?? 42) + output}`

export function scriptedMedia(script: MediaScript = {}): ScriptedMedia {
  const info: MakerInfo = { makes: 'image', defaults, takesImages: false, sizeMultiple: 16, frameMultiple: 1, replicas: 1, ...script.info }
  const requests: MediaRequest[] = []

  const file = (request: MediaRequest, text: string, scale = 1): EncodedFile => ({
    bytes: new TextEncoder().encode(text),
    contentType: `image/${request.format.type}`,
    extension: request.format.type === 'jpeg' ? 'jpg' : request.format.type,
    width: Math.floor((request.width ?? info.defaults.width) / scale),
    height: Math.floor((request.height ?? info.defaults.height) / scale),
    frames: 1,
  })

  async function make(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
    requests.push(request)
    const steps = request.steps ?? script.steps ?? 4
    const seed = request.seed ?? 42
    const files: EncodedFile[] = []
    if (script.ahead !== undefined) listener.queued?.(script.ahead)
    if (script.fail?.after === 0) throw script.fail.error
    listener.started?.('maker-0')
    for (let output = 0; output < request.outputs; output++) {
      let partials = 0
      for (let step = 1; step <= steps; step++) {
        if (script.hangAt === step) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
        else await Bun.sleep(script.paceMs ?? 0)
        if (signal.aborted) {
          media.aborted++
          throw new AppError('client_closed_request', { message: 'The request was cancelled.' })
        }
        listener.progress?.(step, steps, output, (output * steps + step) / (request.outputs * steps))
        if (output === 0 && script.fail?.after === step) throw script.fail.error
        if (partials < request.partials && step < steps)
          listener.partial?.(output, partials, file(request, `preview ${partials++}`.padEnd(script.previewBytes ?? 0), 8))
      }
      const made = file(request, picture(request, output).padEnd(script.pictureBytes ?? 0))
      files.push(made)
      listener.output?.(output, made)
    }
    media.made++
    const { width, height } = files[0]!
    const ms = { queued: 0, engine: 1500, encode: 10, total: 1510 }
    return {
      ...{ model: 'painter', workerId: 'maker-0', files, seed, width, height, steps, guidance: 3.5, frames: 1, ms },
    }
  }

  const media: ScriptedMedia = {
    requests,
    aborted: 0,
    made: 0,
    models: () => [{ id: 'painter', aliases: ['org/painter'], createdSecs: 1_700_000_000, makes: info.makes }],
    ready: () => true,
    info(kind, model) {
      if (kind !== info.makes || !['painter', 'org/painter', undefined].includes(model))
        throw new AppError('model_not_found', { message: `The model '${model}' is not served here.`, param: 'model' })
      return { ...info, id: 'painter' }
    },
    make,
    control: async () => [],
  }
  return media
}

export interface MemoryStore extends MediaStore {
  readonly files: Map<string, { bytes: Uint8Array; contentType: string }>
  /** The next saves fail, when this many are done. */
  failAfter: number
}

/** Addresses are `/media/<path>`, as a folder without a base address gives them. */
export function memoryStore(base = '/media/'): MemoryStore {
  const files: MemoryStore['files'] = new Map()
  return {
    place: 'memory://',
    files,
    failAfter: Number.POSITIVE_INFINITY,
    async save(path, bytes, contentType) {
      await Bun.sleep(0)
      if (this.failAfter-- <= 0) throw new AppError('storage_failed', { message: 'The place for media files is full.' })
      files.set(path, { bytes, contentType })
      return base + path
    },
    async open(path) {
      const file = files.get(path)
      if (file === undefined) return undefined
      const { bytes, contentType } = file
      return { bytes: bytes.byteLength, contentType, modifiedMs: 0, read: (start, end) => new Blob([bytes.slice(start, end)]) }
    },
    remove: async (path) => files.delete(path),
    sweep: async () => {},
    close: async () => {},
  }
}
