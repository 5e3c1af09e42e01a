// A maker in this process: a queue before one diffusion engine, whose frames become files while they come.
import type { DiffusionDone, DiffusionEngine, DiffusionListener, DiffusionRequest } from '../../engine/diffusion/diffusion.ts'
import { AppError, requestCancelled, toAppError } from '../../lib/errors.ts'
import type { Encoders } from './maker/encoders.ts'
import { fillRequest, planPreviews } from './maker/fill.ts'
import { type Outputs, startOutputs } from './maker/outputs.ts'
import { watchSilence } from './maker/silence.ts'
import type { EncodedFile, Made, MakerInfo, MediaListener, MediaMaker, MediaRequest } from './media.ts'
import { type Turn, turns } from './turns.ts'

export interface LocalMakerOptions {
  /** Told as `workerId`. */
  id: string
  /** Started: its `info` is known. Whoever made it stops it. */
  engine: DiffusionEngine
  encoders: Encoders
  /** Told as `Made.model` where no pipeline is above. Default: the engine's model path. */
  model?: string
  /** Jobs that may wait. Default 256. */
  queueLimit?: number
  /** Longest wait for a turn. Default half an hour: clips take minutes each. */
  queueWaitMs?: number
  /** A job whose engine gives no sign for so long is ended, so that it does not keep the queue. Default ten minutes: first steps may compile. */
  silenceMs?: number
  /** [0, 1), for seeds that a request leaves open. */
  random?: () => number
}

export interface LocalMaker extends MediaMaker {
  /** Jobs inside the engine, and those before it. */
  load(): { waiting: number; running: number; encoding: number }
  /** Who waits is told `shutting_down`, and nobody is taken in any more; what runs goes on until the engine stops. */
  close(): void
}

export function localMaker(options: LocalMakerOptions): LocalMaker {
  return new Maker(options)
}

class Maker implements LocalMaker {
  readonly id: string
  private readonly options: LocalMakerOptions
  private readonly engine: DiffusionEngine
  private readonly queue
  private readonly unsubscribe: () => void
  private readonly queueLimit: number
  private closed = false
  private asked = 0

  constructor(options: LocalMakerOptions) {
    const { engine, queueLimit: limit = 256, queueWaitMs: waitMs = 1_800_000 } = options
    this.id = options.id
    this.options = options
    this.engine = engine
    this.queueLimit = limit
    this.queue = turns({ slots: engine.info.replicas, open: engine.ready, limit, waitMs })
    this.unsubscribe = engine.on((event) => this.queue.engine(event.ready, engine.info.replicas))
  }

  get info(): MakerInfo {
    const { makes, defaults, takesImages, sizeMultiple, frameMultiple, replicas } = this.engine.info
    return { makes, defaults, takesImages, sizeMultiple, frameMultiple, replicas, queueLimit: this.queueLimit }
  }

  get ready(): boolean {
    return this.engine.ready && !this.closed
  }

  pending(): number {
    return this.queue.pending()
  }

  load() {
    const { waiting, running, finishing } = this.queue.state()
    return { waiting: waiting.length, running: running.length, encoding: finishing.length }
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return this.engine.control(name, args)
  }

  close(): void {
    this.closed = true
    this.unsubscribe()
    this.queue.close()
  }

  async make(request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
    const { info } = this.engine
    if (request.kind !== info.makes) {
      throw new AppError('invalid_value', { message: `This model makes ${info.makes}s, not ${request.kind}s.`, param: 'model' })
    }
    if (!this.engine.ready) {
      throw new AppError('engine_unavailable', { message: 'The engine is not ready; try again shortly.', retryAfterSecs: 5 })
    }
    const filled = fillRequest(request, info, this.options.random ?? Math.random)
    const joinedMs = performance.now()
    let turn = this.queue.take(`${filled.requestId}/${++this.asked}`, signal, (ahead) => listener.queued?.(ahead))
    try {
      for (;;) {
        await turn.granted
        const grantedMs = performance.now()
        listener.started?.(this.id)
        const result = await this.run(filled, request, listener, signal, turn)
        if (result === 'again') {
          turn = turn.again()
          continue
        }
        const { files, engineMs, done } = result
        const total = performance.now() - joinedMs
        const queued = grantedMs - joinedMs
        const { width, height, frames } = files[0]!
        return {
          model: this.options.model ?? info.modelPath,
          workerId: this.id,
          files,
          ...{ seed: filled.seed, width, height, steps: filled.steps, guidance: filled.guidance, frames },
          ...(filled.fps === undefined ? {} : { fps: filled.fps }),
          ms: { queued, engine: engineMs, encode: total - queued - engineMs, total },
          engineMs: stagesOf(done),
          ...(done.peakMemoryMb === undefined ? {} : { peakMemoryMb: done.peakMemoryMb }),
        }
      }
    } finally {
      turn.leave()
    }
  }

  /** One attempt in the engine; `again`: the engine was not there and is expected back. */
  private async run(filled: DiffusionRequest, request: MediaRequest, listener: MediaListener, signal: AbortSignal, turn: Turn) {
    const stop = new AbortController()
    const outputs = startOutputs({
      encoders: this.options.encoders,
      format: request.format,
      outputs: filled.outputs,
      ...(filled.fps === undefined ? {} : { fps: filled.fps }),
      previews: planPreviews(request.partials, filled.steps),
      listener,
      failed: () => stop.abort(),
    })
    const giveUp = (error: AppError) => {
      stop.abort()
      outputs.drop(error)
    }
    const onAbort = () => giveUp(requestCancelled())
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const silenceMs = this.options.silenceMs ?? 600_000
    const watch = watchSilence(silenceMs, () => giveUp(silent(silenceMs)))
    let begun = false
    const sign = () => {
      begun = true
      watch.sign()
    }
    try {
      const startMs = performance.now()
      const done = await this.engine.generate(filled, hear(filled, outputs, listener, sign), stop.signal).catch((thrown) => {
        // The next one need not wait until this one's encoders have let go.
        if (toAppError(thrown).code !== 'engine_unavailable') turn.made()
        throw thrown
      })
      watch.stop()
      const engineMs = performance.now() - startMs
      turn.made(engineMs)
      const files: EncodedFile[] = await outputs.finish()
      return { files, engineMs, done }
    } catch (thrown) {
      const error = toAppError(thrown)
      // What was told first is the cause: an encoder's failure or a cancel also ends the engine's work.
      const cause = await outputs.drop(error)
      if (cause === error && error.code === 'engine_unavailable' && !begun && !this.engine.ready && !this.closed) return 'again'
      throw cause
    } finally {
      watch.stop()
      signal.removeEventListener('abort', onAbort)
    }
  }
}

/** Passes on what the engine tells, and that it tells something. */
function hear(filled: DiffusionRequest, outputs: Outputs, listener: MediaListener, sign: () => void): DiffusionListener {
  let furthest = 0
  return {
    progress(output, step, steps) {
      sign()
      furthest = Math.max(furthest, Math.min(1, (output * steps + step) / (filled.outputs * steps)))
      listener.progress?.(step, steps, output, furthest)
    },
    preview: (output, step, latents) => outputs.preview(output, step, latents),
    frames(output, clip, first, end) {
      sign()
      outputs.frames(output, clip, first, end)
    },
  }
}

function stagesOf({ stages: { textMs, denoiseMs, decodeMs, copyMs } }: DiffusionDone): NonNullable<Made['engineMs']> {
  const told = Object.entries({ text: textMs, denoise: denoiseMs, decode: decodeMs, copy: copyMs })
  return Object.fromEntries(told.filter(([, ms]) => ms !== undefined))
}

function silent(ms: number): AppError {
  return new AppError('engine_failed', { message: `The engine gave no sign for ${Math.round(ms / 1000)} s; the job was ended.` })
}
