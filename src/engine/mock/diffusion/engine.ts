// The mock diffusion engine: deterministic pictures and clips in the time that a GPU would take. No GPU, no weights, no process.
import { AppError } from '../../../lib/errors.ts'
import type {
  DiffusionDone,
  DiffusionEngine,
  DiffusionEvent,
  DiffusionInfo,
  DiffusionListener,
  DiffusionRequest,
} from '../../diffusion/diffusion.ts'
import { checkRequest } from './check.ts'
import { type Controls, type Loras, operate } from './control.ts'
import { Job } from './job.ts'
import { type MockDiffusionConfig, type MockDiffusionOptions, resolveDiffusion } from './options.ts'

export type { MockDiffusionOptions } from './options.ts'

export interface MockDiffusion extends DiffusionEngine {
  /** Clips and images told to listeners and not released yet. */
  held(): number
  /** Denoising steps of all requests so far. */
  stepsRun(): number
}

/** Throws AppError `model_path_not_found` or `model_files_invalid` (naming the file looked for), `invalid_setting`. */
export function mockDiffusion(options: MockDiffusionOptions): MockDiffusion {
  return new Mock(resolveDiffusion(options))
}

class Mock implements MockDiffusion {
  readonly info: DiffusionInfo
  ready = false
  private readonly config: MockDiffusionConfig
  private readonly jobs = new Set<Job>()
  private readonly listeners = new Set<(event: DiffusionEvent) => void>()
  private loras: Loras = noLoras()
  private asked = 0
  private steps = 0
  private crashAt: number
  private stallAt: number
  private stalled: PromiseWithResolvers<void> | undefined
  private heldClips = 0
  private restartTimer: ReturnType<typeof setTimeout> | undefined
  private stopping = false
  private idle: (() => void)[] = []

  constructor(config: MockDiffusionConfig) {
    this.config = config
    this.info = config.info
    this.crashAt = config.failure.crashAfter
    this.stallAt = config.failure.stallAfter
  }

  async start(): Promise<DiffusionInfo> {
    const { slowStartMs, failStart } = this.config.failure
    if (slowStartMs > 0) await Bun.sleep(slowStartMs)
    if (failStart) throw new AppError('sglang_failed', { message: 'the mock engine failed to start, as its failure setting asks' })
    if (!this.stopping) this.setReady(true, 'started')
    return this.info
  }

  async generate(request: DiffusionRequest, listener: DiffusionListener, signal: AbortSignal): Promise<DiffusionDone> {
    if (!this.ready) throw new AppError('engine_unavailable', { message: 'the engine is not ready', retryAfterSecs: 1 })
    if (signal.aborted) throw cancelled()
    checkRequest(request, this.info)
    if (this.jobs.size >= this.info.replicas) {
      throw new AppError('internal_error', { message: `${this.jobs.size} requests run already: their queue is the caller's` })
    }
    const { refuseEvery, oomEvery } = this.config.failure
    this.asked++
    const every = (k: number) => k > 0 && this.asked % k === 0
    if (every(refuseEvery))
      throw new AppError('engine_failed', { message: 'the engine failed on this request, as its failure setting asks' })
    const job = new Job(request, this.config, this.world, every(oomEvery))
    const onAbort = () => job.end(cancelled())
    signal.addEventListener('abort', onAbort)
    this.jobs.add(job)
    try {
      return await job.run(listener)
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.jobs.delete(job)
      if (this.jobs.size === 0) for (const wake of this.idle.splice(0)) wake()
    }
  }

  async control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return operate(name, args, this.controls)
  }

  inFlight(): number {
    return this.jobs.size
  }

  held(): number {
    return this.heldClips
  }

  stepsRun(): number {
    return this.steps
  }

  on(listener: (event: DiffusionEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async stop(deadlineMs: number): Promise<void> {
    if (!this.stopping) {
      this.stopping = true
      clearTimeout(this.restartTimer)
      this.setReady(false, 'stopping')
    }
    if (this.jobs.size > 0 && deadlineMs > 0) await this.untilIdle(deadlineMs)
    if (this.jobs.size > 0) {
      for (const job of this.jobs) job.end(new AppError('engine_unavailable', { message: 'the engine stops' }))
      await this.untilIdle(deadlineMs + 1000)
    }
  }

  private async untilIdle(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.idle.push(resolve)
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }

  private readonly world = {
    loras: () => this.loras.active.map(({ nickname, path, strength }) => `${nickname} ${path} ${strength}`).join(),
    stepped: () => {
      if (++this.steps >= this.crashAt) this.crash(this.config.failure.restartMs)
      if (this.steps >= this.stallAt) this.stalled ??= Promise.withResolvers()
    },
    running: () => this.stalled?.promise,
    hold: () => {
      this.heldClips++
      return () => {
        this.heldClips--
      }
    },
  }

  private readonly controls: Controls = this.makeControls()

  private makeControls(): Controls {
    const loras = () => this.loras
    return {
      get loras() {
        return loras()
      },
      crash: (restartMs) => this.crash(restartMs ?? this.config.failure.restartMs),
      stall: (on) => {
        if (on) this.stalled ??= Promise.withResolvers()
        else {
          this.stallAt = Number.POSITIVE_INFINITY
          this.stalled?.resolve()
          this.stalled = undefined
        }
      },
    }
  }

  /** Once: what runs fails, adapters are lost. */
  private crash(restartMs: number): void {
    this.crashAt = Number.POSITIVE_INFINITY
    if (!this.ready) return
    this.setReady(false, 'the mock engine crashed')
    for (const job of this.jobs) job.end(new AppError('engine_failed', { message: 'the engine died while it worked on this request' }))
    this.loras = noLoras()
    if (this.stopping || restartMs === Number.POSITIVE_INFINITY) return
    this.restartTimer = setTimeout(() => this.setReady(true, 'restarted'), restartMs)
  }

  private setReady(ready: boolean, reason: string): void {
    this.ready = ready
    for (const listener of this.listeners) listener({ kind: 'state', ready, reason })
  }
}

function noLoras(): Loras {
  return { loaded: new Map(), active: [], aside: [] }
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'the request was cancelled' })
}
