// A node of a model that runs on several hosts (--nnodes), other than the first: SGLang's schedulers live here, requests do not come here.
// It is an Engine so that whatever watches, measures and publishes engines takes it as one.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import type { Engine } from '../../engine.ts'
import { type Kept, keepAlive } from '../../supervisor.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from '../../types.ts'
import { Calls } from '../control.ts'
import { toInfo } from '../facts.ts'
import { toUs } from '../frames.ts'
import { followRanks } from '../kv/follow-ranks.ts'
import { type Bridge, startBridge } from '../launch/launch.ts'
import { launchOptions, type SglangOptions } from '../options.ts'

const shutdownMs = 2000

export class SglangNode implements Engine {
  private readonly options: SglangOptions
  private readonly listeners = new Set<(event: EngineEvent) => void>()
  private readonly calls = new Calls()
  private readonly life = new AbortController()
  private bridge: Bridge | undefined
  private facts: EngineInfo | undefined
  private kept: Kept | undefined
  private follower: { close(): void } | undefined
  private stopping: Promise<void> | undefined
  /** A start that has not come to its end; never rejects. */
  private launching: Promise<unknown> = Promise.resolve()

  constructor(options: SglangOptions) {
    this.options = options
  }

  get info(): EngineInfo {
    if (!this.facts) throw new Error('the node has not started')
    return this.facts
  }

  get ready(): boolean {
    return this.bridge !== undefined && !this.stopping
  }

  /** DP ranks whose KV events come from here. */
  get ranks(): number[] {
    return (this.bridge?.ready.kv_events ?? []).map(({ rank }) => rank)
  }

  /** The bridge, then SGLang's schedulers. */
  get pids(): number[] {
    return this.bridge ? [this.bridge.hello.pid, ...this.bridge.ready.schedulers] : []
  }

  /** Resolves when this node's schedulers have met those of the other nodes. */
  async start(): Promise<EngineInfo> {
    this.emit({ kind: 'state', ready: false, reason: 'starting; all nodes of the model are waited for' })
    const first = await this.launchOnce()
    this.kept = keepAlive(
      {
        start: () => this.launchOnce(),
        onDown: (reason, delayMs) => {
          this.options.onNotice?.(`${reason}; starting again in ${delayMs / 1000} s`)
          this.emit({ kind: 'state', ready: false, reason })
        },
      },
      first.died,
    )
    return this.info
  }

  generate(_request: GenerateRequest, sink: Sink): Promise<void> {
    sink.fail(elsewhere())
    return Promise.resolve()
  }

  embed(_request: EmbedRequest): Promise<Embedding> {
    return Promise.reject(elsewhere())
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    const bridge = this.bridge
    if (!bridge) return Promise.reject(new AppError('engine_unavailable', { message: 'This node is not ready.', retryAfterSecs: 1 }))
    return this.calls.call((frame) => bridge.send(frame), name, args)
  }

  async metrics(): Promise<string> {
    return this.bridge ? String((await this.control('metrics', {})) ?? '') : ''
  }

  inFlight(): number {
    return 0
  }

  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** From now on it is not started again: the model's first node is about to end all of them. */
  retire(): void {
    this.kept?.end()
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown()
    return this.stopping
  }

  private async shutDown(): Promise<void> {
    this.retire()
    this.calls.failAll(new AppError('shutting_down', { message: 'The node is shutting down.' }))
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
    const bridge = await startBridge(
      launchOptions(this.options),
      {
        rows() {}, // Outputs go to the first node.
        message: (type, bytes) => this.take(type, bytes),
        down: (reason) => this.wentDown(reason),
      },
      this.life.signal,
    )
    if (this.stopping) {
      await bridge.stop(shutdownMs)
      throw new AppError('shutting_down', { message: 'The node is shutting down.' })
    }
    this.bridge = bridge
    this.facts = toInfo(bridge.ready)
    this.follower = followRanks(
      bridge.ready,
      (event) => this.emit(event),
      (text) => this.options.onNotice?.(text),
    )
    this.emit({ kind: 'state', ready: true, reason: `SGLang ${bridge.ready.sglang} works as node ${bridge.ready.node_rank}` })
    return { died: bridge.died }
  }

  private take(type: number, bytes: Uint8Array): void {
    if (type !== toUs.reply) return
    const [, id, ok, value] = decode(bytes) as [number, number, boolean, unknown]
    this.calls.reply(id, ok, value)
  }

  private wentDown(reason: string): void {
    this.leave()
    this.calls.failAll(new AppError('engine_failed', { message: 'The node stopped.', cause: new Error(reason) }))
    if (!this.stopping) this.emit({ kind: 'state', ready: false, reason })
  }

  private leave(): void {
    this.bridge = undefined
    this.follower?.close()
    this.follower = undefined
  }

  private emit(event: EngineEvent): void {
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
export function sglangNode(options: SglangOptions): SglangNode {
  return new SglangNode(options)
}

function elsewhere(): AppError {
  return new AppError('engine_unavailable', {
    message: 'This is a node of a model that runs on several hosts; its first node takes requests.',
  })
}
