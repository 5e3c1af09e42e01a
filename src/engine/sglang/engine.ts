// The real engine: SGLang in child processes, driven over the bridge. Owns every request inside it; life/bridge-life.ts starts it and keeps it alive.
import { AppError } from '../../lib/errors.ts'
import type { Engine } from '../engine.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from '../types.ts'
import { toInfo } from './facts.ts'
import { abortFrame, embeddingType, embedFrame, finFrame, generateFrame } from './frames.ts'
import { followRanks } from './kv/follow-ranks.ts'
import { type Bridge, startBridge } from './launch/launch.ts'
import { BridgeLife, engineWords } from './life/bridge-life.ts'
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
  private readonly slots: Slots
  private readonly rows: Rows
  private readonly embeddings: Embeddings
  private readonly load: LoadReporter
  private readonly life: BridgeLife<Bridge, EngineInfo, EngineEvent>
  private paused = false
  private follower: { close(): void } | undefined
  private silence: Silence | undefined

  constructor(options: SglangOptions) {
    this.options = options
    this.life = new BridgeLife<Bridge, EngineInfo, EngineEvent>({
      starting: 'starting',
      words: engineWords,
      shutdownMs,
      notice: this.notice,
      launch: (signal, down) => this.launch(signal, down),
      info: toInfo,
      warm: (bridge) => this.warm(bridge),
      begin: (bridge) => this.begin(bridge),
      leave: () => this.leave(),
      failAll: (error) => this.slots.failAll(error),
      unavailable: () => this.unavailable(),
    })
    this.slots = new Slots((running, thrown) => {
      this.notice(`a sink threw: ${thrown instanceof Error ? thrown.message : thrown}`)
      if (this.slots.holds(running)) this.life.bridge?.send(abortFrame([running.rid]))
    })
    this.load = new LoadReporter((rank, running, waiting, usedTokens, totalTokens) =>
      this.life.emit({ kind: 'load', rank, running, waiting, usedTokens, totalTokens }),
    )
    this.rows = new Rows(this.slots, {
      finished: (done) => this.life.bridge?.send(finFrame(done.map((running) => running.slot))),
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
    return this.life.info
  }

  get ready(): boolean {
    return this.life.ready && !this.paused
  }

  /** For metrics and tests: rows that belonged to nobody, and frames that never came. */
  get strays(): { unknownRows: number; lostFrames: number } {
    return { unknownRows: this.slots.unknownRows, lostFrames: this.rows.lostFrames }
  }

  /** The processes of the running engine: the bridge first, then SGLang's schedulers. */
  get pids(): number[] {
    const { bridge } = this.life
    return bridge ? [bridge.hello.pid, ...(bridge.ready.schedulers ?? [])] : []
  }

  start(): Promise<EngineInfo> {
    return this.life.start()
  }

  generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      sink.end({ kind: 'abort', message: 'Aborted' }, { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 })
      return Promise.resolve()
    }
    const { bridge } = this.life
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
    const { bridge } = this.life
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
    return this.life.call(name, args)
  }

  async metrics(): Promise<string> {
    return this.life.bridge ? String((await this.life.call('metrics', {}, 5000)) ?? '') : ''
  }

  inFlight(): number {
    return this.slots.size
  }

  on(listener: (event: EngineEvent) => void): () => void {
    return this.life.on(listener)
  }

  stop(deadlineMs: number): Promise<void> {
    return this.life.stop(async () => {
      await this.slots.drained(deadlineMs)
      const left = this.slots.all()
      if (left.length === 0) return
      this.life.bridge?.send(abortFrame(left.map((running) => running.rid)))
      await this.slots.drained(forcedEndMs)
    })
  }

  private launch(signal: AbortSignal, down: (reason: string) => void): Promise<Bridge> {
    this.rows.restart()
    return startBridge(
      launchOptions(this.options),
      {
        rows: (bytes, channel) => {
          if (bytes[1] !== embeddingType) return this.rows.take(bytes, channel)
          this.silence?.heardAll() // These do not tell their rank.
          this.embeddings.take(bytes)
        },
        message: (type, bytes) =>
          takeMessage(type, bytes, this.slots, this.rows, this.life.calls, {
            load: (rank, running, waiting, used, total) => {
              this.silence?.heard(rank)
              this.load.note(rank, running, waiting, used, total)
            },
            paused: (paused) => this.setPaused(paused),
          }),
        down,
      },
      signal,
    )
  }

  private async warm(bridge: Bridge): Promise<void> {
    this.paused = true // Until it is warm.
    await warmUp(bridge, this.info, this.slots, this.rows, this.notice)
    this.paused = false
  }

  private begin(bridge: Bridge): string {
    const { ready } = bridge
    const limitMs = this.options.silenceMs ?? defaultSilenceMs
    this.silence = watchSilence(this, bridge, this.slots, this.rows, this.life.calls, limitMs, () => this.paused, this.notice)
    this.follower = followRanks(ready, (event) => this.life.emit(event), this.notice)
    return `SGLang ${ready.sglang} serves at level ${ready.level}`
  }

  private leave(): void {
    this.silence?.stop()
    this.load.stop()
    this.follower?.close()
    this.follower = undefined
  }

  private setPaused(paused: boolean): void {
    if (paused === this.paused) return
    this.paused = paused
    this.life.emit({ kind: 'state', ready: this.ready, reason: paused ? 'generation is paused' : 'generation continues' })
  }

  private unavailable(): AppError {
    const { stopping, retryAfterSecs } = this.life
    if (stopping) return new AppError('shutting_down', { message: engineWords.stopping, retryAfterSecs: 5 })
    return new AppError('engine_unavailable', { message: engineWords.absent, retryAfterSecs })
  }

  private notice = (text: string): void => this.options.onNotice?.(text)
}

/** Nothing is started before `start`. */
export function sglangEngine(options: SglangOptions): SglangEngine {
  return new SglangEngine(options)
}
