// A node of a model that runs on several hosts (--nnodes), other than the first: SGLang's schedulers live here, requests do not come here.
// It is an Engine so that whatever watches, measures and publishes engines takes it as one.
import { AppError } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import type { Engine } from '../../engine.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from '../../types.ts'
import { toInfo } from '../facts.ts'
import { toUs } from '../frames.ts'
import { followRanks } from '../kv/follow-ranks.ts'
import { type Bridge, startBridge } from '../launch/launch.ts'
import { BridgeLife } from '../life/bridge-life.ts'
import { launchOptions, type SglangOptions } from '../options.ts'

export class SglangNode implements Engine {
  private readonly life: BridgeLife<Bridge, EngineInfo, EngineEvent>
  private follower: { close(): void } | undefined

  constructor(options: SglangOptions) {
    const notice = (text: string) => options.onNotice?.(text)
    this.life = new BridgeLife({
      starting: 'starting; all nodes of the model are waited for',
      words: { died: 'The node stopped.', stopping: 'The node is shutting down.' },
      shutdownMs: 2000,
      notice,
      launch: (signal, down) => {
        // Outputs go to the first node.
        const events = { rows() {}, message: (type: number, bytes: Uint8Array) => this.take(type, bytes), down }
        return startBridge(launchOptions(options), events, signal)
      },
      info: toInfo,
      begin: ({ ready }) => {
        this.follower = followRanks(ready, (event) => this.life.emit(event), notice)
        return `SGLang ${ready.sglang} works as node ${ready.node_rank}`
      },
      leave: () => {
        this.follower?.close()
        this.follower = undefined
      },
      unavailable: () => new AppError('engine_unavailable', { message: 'This node is not ready.', retryAfterSecs: 1 }),
    })
  }

  get info(): EngineInfo {
    return this.life.info
  }

  get ready(): boolean {
    return this.life.ready
  }

  /** DP ranks whose KV events come from here. */
  get ranks(): number[] {
    return (this.life.bridge?.ready.kv_events ?? []).map(({ rank }) => rank)
  }

  /** The bridge, then SGLang's schedulers. */
  get pids(): number[] {
    const { bridge } = this.life
    return bridge ? [bridge.hello.pid, ...bridge.ready.schedulers] : []
  }

  /** Resolves when this node's schedulers have met those of the other nodes. */
  start(): Promise<EngineInfo> {
    return this.life.start()
  }

  generate(_request: GenerateRequest, sink: Sink): Promise<void> {
    sink.fail(elsewhere())
    return Promise.resolve()
  }

  embed(_request: EmbedRequest): Promise<Embedding> {
    return Promise.reject(elsewhere())
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return this.life.call(name, args)
  }

  async metrics(): Promise<string> {
    return this.life.bridge ? String((await this.control('metrics', {})) ?? '') : ''
  }

  inFlight(): number {
    return 0
  }

  on(listener: (event: EngineEvent) => void): () => void {
    return this.life.on(listener)
  }

  /** From now on it is not started again: the model's first node is about to end all of them. */
  retire(): void {
    this.life.retire()
  }

  stop(): Promise<void> {
    return this.life.stop()
  }

  private take(type: number, bytes: Uint8Array): void {
    if (type !== toUs.reply) return
    const [, id, ok, value] = decode(bytes) as [number, number, boolean, unknown]
    this.life.calls.reply(id, ok, value)
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
