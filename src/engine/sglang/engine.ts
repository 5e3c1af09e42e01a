// The real engine: SGLang in child processes, driven over the bridge. Starts it, keeps it alive, and owns every request inside it.
import { AppError, toAppError } from '../../lib/errors.ts'
import type { Engine } from '../engine.ts'
import { type Kept, keepAlive } from '../supervisor.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from '../types.ts'
import { Calls } from './control.ts'
import { toInfo } from './facts.ts'
import { abortFrame, embeddingType, embedFrame, finFrame, generateFrame } from './frames.ts'
import { followRanks } from './kv/follow-ranks.ts'
import { type Bridge, startBridge } from './launch/launch.ts'
import type { Silence } from './life/silence.ts'
import { warmUp } from './life/warm-up.ts'
import { watchSilence } from './life/watch.ts'
import { LoadReporter } from './load.ts'
import { takeMessage } from './messages.ts'
import { launchOptions, type SglangOptions } from './options.ts'
import { forcedEndMs } from './requests/abort.ts'
import { Embeddings } from './requests/embeddings.ts'
import { Rows } from './requests/rows.ts'
import { Slots } from './requests/slots.ts'

const shutdownMs = 10_000 // SGLang needs some seconds to end its schedulers.
const defaultSilenceMs = 60_000

export class SglangEngine implements Engine {
  private readonly options: SglangOptions
  private readonly listeners = new Set<(event: EngineEvent) => void>()
  private readonly slots: Slots
  private readonly rows: Rows
  private readonly calls = new Calls()
  private readonly embeddings: Embeddings
  private readonly load: LoadReporter
  private readonly life = new AbortController()
  private bridge: Bridge | undefined
  private facts: EngineInfo | undefined
  private paused = false
  private stopping: Promise<void> | undefined
  /** A start that has not come to its end; never rejects. */
  private launching: Promise<unknown> = Promise.resolve()
  private kept: Kept | undefined
  private follower: { close(): void } | undefined
  private retryAt = 0
  private silence: Silence | undefined

  constructor(options: SglangOptions) {
    this.options = options
    this.slots = new Slots((running, thrown) => {
      this.notice(`a sink threw: ${thrown instanceof Error ? thrown.message : thrown}`)
      if (this.slots.holds(running)) this.bridge?.send(abortFrame([running.rid]))
    })
    this.load = new LoadReporter((rank, running, waiting, usedTokens, totalTokens) =>
      this.emit({ kind: 'load', rank, running, waiting, usedTokens, totalTokens }),
    )
    this.rows = new Rows(this.slots, {
      finished: (done) => this.bridge?.send(finFrame(done.map((running) => running.slot))),
      load: (rank, running, waiting, used, total) => this.load.note(rank, running, waiting, used, total),
      heard: (rank) => this.silence?.heard(rank),
      lost: (rank, count) => {
        this.notice(`${count} frames of rank ${rank} never came`)
        this.silence?.gap(rank)
      },
    })
    this.embeddings = new Embeddings(this.slots, this.rows)
  }

  get info(): EngineInfo {
    if (!this.facts) throw new Error('the engine has not started')
    return this.facts
  }

  get ready(): boolean {
    return this.bridge !== undefined && !this.paused && !this.stopping
  }

  /** For metrics and tests: rows that belonged to nobody, and frames that never came. */
  get strays(): { unknownRows: number; lostFrames: number } {
    return { unknownRows: this.slots.unknownRows, lostFrames: this.rows.lostFrames }
  }

  /** The processes of the running engine: the bridge first, then SGLang's schedulers. */
  get pids(): number[] {
    return this.bridge ? [this.bridge.hello.pid, ...(this.bridge.ready.schedulers ?? [])] : []
  }

  async start(): Promise<EngineInfo> {
    this.emit({ kind: 'state', ready: false, reason: 'starting' })
    const first = await this.launchOnce()
    this.kept = keepAlive(
      {
        start: () => this.launchOnce(),
        onDown: (reason, delayMs) => {
          this.retryAt = Date.now() + delayMs
          this.notice(`${reason}; starting again in ${delayMs / 1000} s`)
          this.emit({ kind: 'state', ready: false, reason })
        },
      },
      first.died,
    )
    return this.info
  }

  generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      sink.end({ kind: 'abort', message: 'Aborted' }, { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 })
      return Promise.resolve()
    }
    const bridge = this.bridge
    if (!bridge || !this.ready) {
      sink.fail(this.unavailable())
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      let forced: ReturnType<typeof setTimeout> | undefined
      const abort = () => {
        bridge.send(abortFrame([running.rid]))
        forced = setTimeout(() => this.slots.end(running, { kind: 'abort', message: 'Aborted' }), forcedEndMs)
      }
      const ended = () => {
        signal.removeEventListener('abort', abort)
        clearTimeout(forced)
        resolve()
      }
      const running = this.slots.open(bridge.epoch, request.promptIds.length, sink, this.rows.lostFrames, ended, request.dpRank)
      signal.addEventListener('abort', abort, { once: true })
      bridge.send(generateFrame(running.slot, running.rid, request))
    })
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<Embedding> {
    const bridge = this.bridge
    if (!bridge || !this.ready) return Promise.reject(this.unavailable())
    return this.embeddings.run(
      bridge.epoch,
      request.promptIds.length,
      signal,
      (running) => bridge.send(embedFrame(running.slot, running.rid, request)),
      (running) => bridge.send(abortFrame([running.rid])),
      request.dpRank,
    )
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    const bridge = this.bridge
    if (!bridge) return Promise.reject(this.unavailable())
    return this.calls.call((frame) => bridge.send(frame), name, args)
  }

  async metrics(): Promise<string> {
    const bridge = this.bridge
    return bridge ? String((await this.calls.call((frame) => bridge.send(frame), 'metrics', {}, 5000)) ?? '') : ''
  }

  inFlight(): number {
    return this.slots.size
  }

  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  stop(deadlineMs: number): Promise<void> {
    this.stopping ??= this.shutDown(deadlineMs)
    return this.stopping
  }

  private async shutDown(deadlineMs: number): Promise<void> {
    this.kept?.end()
    await this.slots.drained(deadlineMs)
    const left = this.slots.all()
    if (left.length > 0) {
      this.bridge?.send(abortFrame(left.map((running) => running.rid)))
      await this.slots.drained(forcedEndMs)
    }
    this.slots.failAll(new AppError('shutting_down', { message: 'The engine is shutting down.' }))
    this.calls.failAll(new AppError('shutting_down', { message: 'The engine is shutting down.' }))
    const bridge = this.bridge
    this.leave()
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
    this.rows.restart()
    const bridge = await startBridge(
      launchOptions(this.options),
      {
        rows: (bytes, channel) => {
          if (bytes[1] !== embeddingType) return this.rows.take(bytes, channel)
          this.silence?.heardAll() // These do not tell their rank.
          this.embeddings.take(bytes)
        },
        message: (type, bytes) =>
          takeMessage(type, bytes, this.slots, this.rows, this.calls, {
            load: (rank, running, waiting, used, total) => {
              this.silence?.heard(rank)
              this.load.note(rank, running, waiting, used, total)
            },
            paused: (paused) => this.setPaused(paused),
          }),
        down: (reason) => this.wentDown(reason),
      },
      this.life.signal,
    )
    if (this.stopping) {
      await bridge.stop(shutdownMs)
      throw new AppError('shutting_down', { message: 'The engine is shutting down.' })
    }
    this.bridge = bridge
    this.facts = toInfo(bridge.ready)
    this.paused = true // Until it is warm.
    await warmUp(bridge, this.facts, this.slots, this.rows, this.notice)
    this.paused = false
    if (this.bridge !== bridge) return { died: bridge.died }
    const limitMs = this.options.silenceMs ?? defaultSilenceMs
    this.silence = watchSilence(this, bridge, this.slots, this.rows, this.calls, limitMs, () => this.paused, this.notice)
    this.follower = followRanks(bridge.ready, (event) => this.emit(event), this.notice)
    this.emit({ kind: 'state', ready: true, reason: `SGLang ${bridge.ready.sglang} serves at level ${bridge.ready.level}` })
    return { died: bridge.died }
  }

  /** It is gone: everybody inside learns it now, the restart follows when its processes have ended. */
  private wentDown(reason: string): void {
    this.retryAt = Date.now() + 1000
    this.leave()
    const error = new AppError('engine_failed', {
      message: 'The engine stopped while it worked on this request.',
      cause: new Error(reason),
    })
    this.slots.failAll(error)
    this.calls.failAll(error)
    if (!this.stopping) this.emit({ kind: 'state', ready: false, reason })
  }

  private leave(): void {
    this.bridge = undefined
    this.silence?.stop()
    this.load.stop()
    this.follower?.close()
    this.follower = undefined
  }

  private setPaused(paused: boolean): void {
    if (paused === this.paused) return
    this.paused = paused
    this.emit({ kind: 'state', ready: this.ready, reason: paused ? 'generation is paused' : 'generation continues' })
  }

  private unavailable(): AppError {
    if (this.stopping) return new AppError('shutting_down', { message: 'The engine is shutting down.', retryAfterSecs: 5 })
    const retryAfterSecs = Math.max(1, Math.ceil((this.retryAt - Date.now()) / 1000))
    return new AppError('engine_unavailable', { message: 'The engine is not ready. Try again shortly.', retryAfterSecs })
  }

  private notice = (text: string): void => this.options.onNotice?.(text)

  private emit(event: EngineEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event)
      } catch (thrown) {
        this.notice(`a listener threw: ${toAppError(thrown).message}`)
      }
    }
  }
}

/** Nothing is started before `start`. */
export function sglangEngine(options: SglangOptions): SglangEngine {
  return new SglangEngine(options)
}
