// The outputs of one job while they come: previews and images are encoded at once, clips frame by frame, and every Frames is given back.
import type { Latents } from '../../../engine/diffusion/diffusion.ts'
import { AppError, toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import type { Frames } from '../../../media/frames.ts'
import type { EncodedFile, MediaListener, OutputFormat } from '../media.ts'
import type { Encoders, ImageFormat } from './encoders.ts'
import type { PreviewPlan } from './fill.ts'
import { encodeClip, encodeFrames, encodePicture, file, type Incoming } from './write.ts'

export interface OutputsOptions {
  encoders: Encoders
  format: OutputFormat
  /** How many outputs there will be. */
  outputs: number
  /** Absent: images. */
  fps?: number
  previews: PreviewPlan
  listener: Pick<MediaListener, 'partial' | 'output' | 'frame'>
  /** Something could not be encoded: the engine's work is in vain. Called once, before `finish` rejects. */
  failed(error: AppError): void
}

/** Exactly one of `finish` and `drop` must be the last call. */
export interface Outputs {
  preview(output: number, step: number, latents: Latents): void
  frames(output: number, clip: Frames, first: number, end: number): void
  /** After the engine is done: all files, in order. Rejects with AppError; everything is given back either way. */
  finish(): Promise<EncodedFile[]>
  /** Gives everything up with this reason, or an earlier one; resolves with the first when nothing is held any more. */
  drop(error: AppError): Promise<AppError>
}

interface Slot extends Incoming {
  available: number
  /** Resolves once it is written and given back. */
  file: Promise<EncodedFile>
  wake: (() => void) | undefined
}

export function startOutputs(options: OutputsOptions): Outputs {
  const { encoders, listener, previews, format } = options
  const slots = new Map<number, Slot>()
  /** Pictures and previews are told in the order in which they came from the engine. */
  let told: Promise<void> = Promise.resolve()
  let failure: AppError | undefined
  const aborts = new Set<() => void>()

  function fail(error: AppError): void {
    if (failure !== undefined) return
    failure = error
    for (const abort of aborts) abort()
    for (const slot of slots.values()) slot.wake?.()
    options.failed(error)
  }

  function tell<T>(ready: Promise<T>, say: (value: T) => void): void {
    told = told.then(async () => {
      const value = await ready
      if (failure === undefined) say(value)
    })
    // Who waits for `told` hears of it; before that nobody must be surprised.
    told.catch(() => {})
  }

  function open(output: number, clip: Frames): Slot {
    const slot: Slot = {
      clip,
      available: 0,
      wake: undefined,
      file: undefined as never,
      async until(index) {
        while (failure === undefined && slot.available <= index) {
          await new Promise<void>((resolve) => {
            slot.wake = resolve
          })
        }
        if (failure !== undefined) throw failure
        return slot.available
      },
    }
    slots.set(output, slot)
    slot.file = write(output, slot)
      .catch((thrown) => {
        fail(toAppError(thrown))
        throw failure
      })
      .finally(() => clip.release())
    // `settle` hears of it; until then nobody must be surprised.
    slot.file.catch(() => {})
    tell(slot.file, (written) => listener.output?.(output, written))
    return slot
  }

  function write(output: number, slot: Slot): Promise<EncodedFile> {
    if (options.fps === undefined) return encodePicture(encoders, slot, format as ImageFormat)
    if (format.type === 'mjpeg') {
      const frame = (index: number, jpeg: Uint8Array) => {
        if (failure === undefined && output === 0) listener.frame?.(index, jpeg)
      }
      return encodeFrames(encoders, slot, options.fps, format, frame)
    }
    return encodeClip(encoders, slot, options.fps, aborts)
  }

  async function settle(): Promise<void> {
    await Promise.allSettled([...[...slots.values()].map((slot) => slot.file), told])
  }

  return {
    preview(output, step, latents) {
      if (previews.every === 0 || step % previews.every !== 0 || failure !== undefined) return
      const index = step / previews.every - 1
      if (index >= previews.count) return
      const copy = { ...latents, data: latents.data.slice() }
      const ready = encodePreview(encoders, copy, format).catch((error) => {
        log.warn({ err: error }, 'a preview was not encoded')
      })
      tell(ready, (picture) => picture && listener.partial?.(output, index, picture))
    },
    frames(output, clip, _first, end) {
      if (failure !== undefined) {
        if (slots.get(output)?.clip !== clip) clip.release()
        return
      }
      const slot = slots.get(output) ?? open(output, clip)
      if (slot.clip !== clip) {
        clip.release()
        fail(new AppError('engine_failed', { message: `The engine gave output ${output} twice.` }))
        return
      }
      slot.available = Math.max(slot.available, end)
      slot.wake?.()
    },
    async finish() {
      for (let output = 0; output < options.outputs; output++) {
        const slot = slots.get(output)
        if (slot !== undefined && slot.available >= slot.clip.count) continue
        const came = slot === undefined ? 'nothing' : `${slot.available} of ${slot.clip.count} frames`
        fail(new AppError('engine_failed', { message: `The engine gave ${came} of output ${output}.` }))
      }
      await settle()
      if (failure !== undefined) throw failure
      await told
      return Promise.all(Array.from({ length: options.outputs }, (_, output) => slots.get(output)!.file))
    },
    async drop(error) {
      fail(error)
      await settle()
      return failure!
    },
  }
}

async function encodePreview(encoders: Encoders, latents: Latents, format: OutputFormat): Promise<EncodedFile> {
  const { rgb, width, height } = await encoders.preview(latents)
  // A clip's preview is a still; jpeg is small and known everywhere.
  const picture: ImageFormat = format.type === 'mp4' || format.type === 'mjpeg' ? { type: 'jpeg' } : { ...format, type: format.type }
  return file(await encoders.image(rgb, { width, height }, picture), { width, height, frames: 1 })
}
