// SGLang's diffusion engine behind the seam: starts it, keeps it alive, and owns every request inside it.

import { rmSync } from 'node:fs'
import { AppError, toAppError } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import type {
  DiffusionDone,
  DiffusionEngine,
  DiffusionEvent,
  DiffusionInfo,
  DiffusionListener,
  DiffusionRequest,
} from '../../diffusion/diffusion.ts'
import { type Kept, keepAlive } from '../../supervisor.ts'
import { Calls } from '../control.ts'
import { type BridgeProcess, startProcess } from '../launch/process.ts'
import { cancelled, DiffusionJobs } from './jobs.ts'
import { cancelFrame, type DiffusionReady, generateFrame, helloAckFrame, toInfo, toUs } from './messages.ts'
import type { SglangDiffusionOptions } from './options.ts'
import { makeFrameFolder } from './shared-frames.ts'

type Bridge = BridgeProcess<DiffusionReady>

const shutdownMs = 10_000
/** A cancelled job leaves before its next step; what is still there after this long is ended with the engine. */
const cancelMs = 5000

export class SglangDiffusion implements DiffusionEngine {
  private readonly options: SglangDiffusionOptions
  private readonly listeners = new Set<(event: DiffusionEvent) => void>()
  private readonly jobs = new DiffusionJobs()
  private readonly calls = new Calls()
  private readonly life = new AbortController()
  private bridge: Bridge | undefined
  private facts: DiffusionInfo | undefined
  private kept: Kept | undefined
  private stopping: Promise<void> | undefined
  /** A start that has not come to its end; never rejects. */
  private launching: Promise<unknown> = Promise.resolve()
  private retryAt = 0

  constructor(options: SglangDiffusionOptions) {
    this.options = options
  }

  get info(): DiffusionInfo {
    if (!this.facts) throw new Error('the engine has not started')
    return this.facts
  }

  get ready(): boolean {
    return this.bridge !== undefined && !this.stopping
  }

  /** The processes of the running engine: the bridge first, then SGLang's workers. */
  get pids(): number[] {
    return this.bridge ? [this.bridge.hello.pid, ...this.bridge.ready.workers] : []
  }

  async start(): Promise<DiffusionInfo> {
    this.emit({ kind: 'state', ready: false, reason: 'starting' })
    const first = await this.launchOnce()
    this.kept = keepAlive(
      {
        start: () => this.launchOnce(),
        onDown: (reason, delayMs) => {
          this.retryAt = Date.now() + delayMs
          this.options.onNotice?.(`${reason}; starting again in ${delayMs / 1000} s`)
          this.emit({ kind: 'state', ready: false, reason })
        },
      },
      first.died,
    )
    return this.info
  }

  generate(request: DiffusionRequest, listener: DiffusionListener, signal: AbortSignal): Promise<DiffusionDone> {
    const bridge = this.bridge
    if (signal.aborted) return Promise.reject(cancelled())
    if (!bridge || this.stopping) return Promise.reject(this.unavailable())
    const { job, ended } = this.jobs.open(listener, signal, (number) => bridge.send(cancelFrame(number)))
    bridge.send(generateFrame(job, request, this.options.makes))
    return ended
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    const bridge = this.bridge
    if (!bridge) return Promise.reject(this.unavailable())
    return this.calls.call((frame) => bridge.send(frame), name, args)
  }

  inFlight(): number {
    return this.jobs.size
  }

  on(listener: (event: DiffusionEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  stop(deadlineMs: number): Promise<void> {
    this.stopping ??= this.shutDown(deadlineMs)
    return this.stopping
  }

  private async shutDown(deadlineMs: number): Promise<void> {
    this.kept?.end()
    await this.jobs.drained(deadlineMs)
    for (const job of this.jobs.numbers()) this.bridge?.send(cancelFrame(job))
    await this.jobs.drained(cancelMs)
    const error = new AppError('shutting_down', { message: 'The engine is shutting down.' })
    this.jobs.failAll(error)
    this.calls.failAll(error)
    const bridge = this.bridge
    this.bridge = undefined
    if (bridge) await bridge.stop(shutdownMs)
    this.life.abort()
    await this.launching
    this.emit({ kind: 'state', ready: false, reason: 'stopped' })
  }

  private launchOnce(): Promise<{ died: Promise<string> }> {
    const launch = this.launch()
    this.launching = launch.catch(() => {})
    return launch
  }

  /** One life of the bridge. Rejects with a start-up AppError. */
  private async launch(): Promise<{ died: Promise<string> }> {
    const options = this.options
    let shared: string | undefined
    const bridge = await startProcess<DiffusionReady>(
      {
        python: options.python,
        args: ['diffusion', ...options.args],
        diffusion: true,
        env: options.env,
        cacheDir: options.cacheDir,
        tmpDir: options.tmpDir ?? '/tmp',
        onLine: options.onLine ?? (() => {}),
      },
      {
        open: (sockets) => {
          shared = makeFrameFolder(options.sharedDir ?? '/dev/shm')
          this.jobs.folders = [shared, sockets]
          return { DSGL_FRAMES_DIRS: this.jobs.folders.join(':'), DSGL_MAKES: options.makes }
        },
        close: () => {
          if (shared) rmSync(shared, { recursive: true, force: true })
        },
        helloAck: helloAckFrame,
        message: (type, bytes) => this.take(type, decode(bytes) as unknown[]),
        down: (reason) => this.wentDown(reason),
      },
      this.life.signal,
    )
    const wrong = this.refusal(bridge.ready)
    if (wrong || this.stopping) {
      await bridge.stop(shutdownMs)
      throw wrong ?? new AppError('shutting_down', { message: 'The engine is shutting down.' })
    }
    this.bridge = bridge
    this.facts = toInfo(bridge.ready)
    this.emit({ kind: 'state', ready: true, reason: `SGLang ${bridge.ready.sglang} makes ${this.facts.makes}s` })
    return { died: bridge.died }
  }

  private take(type: number, message: unknown[]): void {
    if (type === toUs.reply) this.calls.reply(message[1] as number, message[2] as boolean, message[3])
    else this.jobs.take(message)
  }

  private refusal(ready: DiffusionReady): AppError | undefined {
    if (ready.hooks.includes('steps') && ready.hooks.includes('execute')) return undefined
    return new AppError('sglang_unsupported', {
      message: `SGLang ${ready.sglang} lacks seams of its diffusion engine that are needed (found: ${ready.hooks.join(', ') || 'none'}).`,
    })
  }

  /** It is gone: everybody inside learns it now, the restart follows when its processes have ended. */
  private wentDown(reason: string): void {
    this.retryAt = Date.now() + 1000
    this.bridge = undefined
    const error = new AppError('engine_failed', {
      message: 'The engine stopped while it worked on this request.',
      cause: new Error(reason),
    })
    this.jobs.failAll(error)
    this.calls.failAll(error)
    if (!this.stopping) this.emit({ kind: 'state', ready: false, reason })
  }

  private unavailable(): AppError {
    if (this.stopping) return new AppError('engine_unavailable', { message: 'The engine is shutting down.', retryAfterSecs: 5 })
    const retryAfterSecs = Math.max(1, Math.ceil((this.retryAt - Date.now()) / 1000))
    return new AppError('engine_unavailable', { message: 'The engine is not ready. Try again shortly.', retryAfterSecs })
  }

  private emit(event: DiffusionEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event)
      } catch (thrown) {
        this.options.onNotice?.(`a listener threw: ${toAppError(thrown).message}`)
      }
    }
  }
}

/** Nothing is started before `start`. */
export function sglangDiffusion(options: SglangDiffusionOptions): SglangDiffusion {
  return new SglangDiffusion(options)
}
