// One request in the mock engine: text, denoising steps and decoding of each output in turn, and pauses that its end interrupts.
import { AppError } from '../../../lib/errors.ts'
import { type Frames, framesIn } from '../../../media/frames.ts'
import type { DiffusionDone, DiffusionListener, DiffusionRequest } from '../../diffusion/diffusion.ts'
import { latentsOf, type Thumbnail, thumbnail } from './latents.ts'
import { type MockDiffusionConfig, workMs } from './options.ts'
import { drawBar, drawPicture } from './picture.ts'

/** What the engine is for a job. */
export interface JobWorld {
  /** Active LoRAs in words. */
  loras(): string
  /** A denoising step has run; may end jobs. */
  stepped(): void
  /** Resolves at once unless the engine is stalled. */
  running(): Promise<void> | undefined
  /** Frames are about to be told, which somebody must release; the returned function counts that. */
  hold(): () => void
}

export class Job {
  readonly request: DiffusionRequest
  private readonly config: MockDiffusionConfig
  private readonly world: JobWorld
  /** Runs out of memory half-way. */
  private readonly oom: boolean
  private ended: AppError | undefined
  private wake: (() => void) | undefined
  private oweMs = 0

  constructor(request: DiffusionRequest, config: MockDiffusionConfig, world: JobWorld, oom: boolean) {
    const { sizeMultiple } = config.info
    const fit = (size: number) => Math.max(1, Math.floor(size / sizeMultiple)) * sizeMultiple
    this.request = { ...request, width: fit(request.width), height: fit(request.height) }
    this.config = config
    this.world = world
    this.oom = oom
  }

  /** Ends it at once with this reason. */
  end(error: AppError): void {
    this.ended ??= error
    this.wake?.()
  }

  async run(listener: DiffusionListener): Promise<DiffusionDone> {
    const { request, config } = this
    const ms = workMs(config.model, request)
    const stages = { textMs: 0, denoiseMs: 0, decodeMs: 0 }
    const timed = async (stage: keyof typeof stages, work: Promise<void>) => {
      const from = performance.now()
      await work
      stages[stage] += performance.now() - from
    }
    await timed('textMs', this.pause(ms.text))
    for (let output = 0; output < request.outputs; output++) {
      const picture = await drawPicture({ ...request, seed: request.seed + output, words: this.words() }, () => this.turn())
      await timed('denoiseMs', this.denoise(output, picture, ms.step, listener))
      await timed('decodeMs', this.decode(output, picture, ms.decode, listener))
    }
    return { stages }
  }

  private async denoise(output: number, picture: Uint8Array, stepMs: number, listener: DiffusionListener): Promise<void> {
    const { steps, previewEvery, width, height, seed } = this.request
    const { family } = this.config.model
    const turn = () => this.turn()
    let small: Thumbnail | undefined
    for (let step = 1; step <= steps; step++) {
      await this.pause(stepMs)
      this.world.stepped()
      if (this.ended !== undefined) throw this.ended
      if (this.oom && step >= steps / 2) throw outOfMemory()
      listener.progress(output, step, steps)
      if (previewEvery > 0 && step % previewEvery === 0 && listener.preview !== undefined) {
        // Most of a picture is there long before its last step.
        const left = (1 - step / steps) ** 2
        small ??= await thumbnail(picture, width, height, turn)
        listener.preview(output, step, await latentsOf(small, { family, left, seed: seed + output * 4096 + step }, turn))
      }
    }
  }

  private async decode(output: number, picture: Uint8Array, decodeMs: number, listener: DiffusionListener): Promise<void> {
    const { width, height, frames: count } = this.request
    const shape = { format: 'rgb24', width, height, count } as const
    if (count === 1) {
      await this.pause(decodeMs)
      listener.frames(output, framesIn(picture, shape, this.world.hold()), 0, 1)
      return
    }
    const bytes = new Uint8Array(count * picture.length)
    let clip: Frames | undefined
    // As a causal video VAE does: the first frame alone, then as many as one latent frame holds.
    for (let first = 0; first < count; ) {
      const end = first === 0 ? 1 : Math.min(count, first + Math.max(1, this.config.info.frameMultiple))
      await this.pause((decodeMs * (end - first)) / count)
      for (let index = first; index < end; index++) {
        const frame = bytes.subarray(index * picture.length, (index + 1) * picture.length)
        frame.set(picture)
        drawBar(frame, width, height, index, count)
      }
      clip ??= framesIn(bytes, shape, this.world.hold())
      listener.frames(output, clip, first, end)
      first = end
    }
  }

  /** Everything but seed and steps that the picture depends on. */
  private words(): string {
    const { prompt, negativePrompt = '', guidance, fps = 0, images = [], extra = {} } = this.request
    const loras = this.world.loras()
    return JSON.stringify([prompt, negativePrompt, guidance, fps, images.map((image) => String(Bun.hash(image))), extra, loras])
  }

  /** Lets others have the thread; throws the job's end. */
  private async turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (this.ended !== undefined) throw this.ended
  }

  /** Simulated time; throws the job's end. Short times are owed until a timer can measure them; others get a turn all the same. */
  private async pause(ms: number): Promise<void> {
    if (this.ended !== undefined) throw this.ended
    this.oweMs += ms / this.config.speedupRatio
    const stalled = this.world.running()
    await new Promise<void>((resolve) => {
      this.wake = resolve
      if (stalled !== undefined) stalled.then(resolve)
      else if (this.oweMs >= 1) setTimeout(resolve, this.oweMs)
      else setImmediate(resolve)
    })
    if (this.oweMs >= 1) this.oweMs = 0
    if (this.ended !== undefined) throw this.ended
  }
}

function outOfMemory(): AppError {
  const message = 'The engine ran out of memory for this request; ask for a smaller size or fewer frames. Other requests are not affected.'
  return new AppError('out_of_memory', { message })
}
