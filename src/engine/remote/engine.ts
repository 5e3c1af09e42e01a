// An engine on another machine: the Engine seam over the request plane. Its facts come from the worker's card, its rows over one connection.
import { AppError } from '../../lib/errors.ts'
import type { PlaneClient } from '../../transport/request-plane.ts'
import type { Engine } from '../engine.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from '../types.ts'
import { Answer } from './answer.ts'
import type { WorkerCard } from './card.ts'
import type { RemoteEvents } from './kv-follow.ts'
import { decodeBody, decodeVector, encodeEmbed, encodeGenerate, encodeNamed, messages, operations } from './protocol.ts'
import { GenerateStream } from './stream.ts'

export interface RemoteEngineParts {
  readonly card: WorkerCard
  /** Of this engine alone: `stop` closes it. */
  readonly client: PlaneClient
  /** Its `kv` and `load` events, followed while somebody listens; each listener is told them from the beginning. */
  readonly events?: RemoteEvents
  /** How long `start` waits for the connection and the card. Default 5 s. */
  readonly startMs?: number
}

export interface RemoteEngine extends Engine {
  /** The worker has told more of itself. */
  update(card: WorkerCard): void
  /** A call of hostEngine's `extras.calls`. Rejects with an AppError. Bytes in the result are the caller's. */
  call(name: string, args: Record<string, unknown>, signal?: AbortSignal): Promise<unknown>
}

/**
 * `ready` while the connection stands and the card says so. A connection that breaks fails what runs with `engine_unavailable`
 * (the answer may continue elsewhere) and comes back by itself.
 */
export function remoteEngine(parts: RemoteEngineParts): RemoteEngine {
  return new OverPlane(parts)
}

const defaultStartMs = 5000

class OverPlane implements RemoteEngine {
  ready = false
  private card: WorkerCard
  private readonly client: PlaneClient
  private readonly events: RemoteEvents | undefined
  private readonly startMs: number
  private readonly running = new Set<GenerateStream | Answer>()
  private readonly listeners = new Set<(event: EngineEvent) => void>()
  private readonly changed = new Set<() => void>()
  private readonly unsubscribe: (() => void)[] = []
  private started = false
  private stopping = false
  private readonly done = (one: GenerateStream | Answer) => {
    this.running.delete(one)
    for (const wake of this.changed) wake()
  }

  constructor(parts: RemoteEngineParts) {
    this.card = parts.card
    this.client = parts.client
    this.events = parts.events
    this.startMs = parts.startMs ?? defaultStartMs
    this.unsubscribe.push(this.client.onState((up) => this.check(up ? 'connected' : 'the connection to the worker broke')))
  }

  get info(): EngineInfo {
    return this.card.info
  }

  async start(): Promise<EngineInfo> {
    this.started = true
    this.check('connected')
    await this.until(() => this.ready || this.stopping, this.startMs)
    if (!this.ready) throw this.unavailable()
    return this.info
  }

  update(card: WorkerCard): void {
    this.card = card
    this.check(card.ready ? 'the worker says it is ready' : 'the worker says it is not ready')
  }

  generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const stream = new GenerateStream(request.requestId, request.promptIds.length, sink, signal, resolve, this.done)
      if (!this.ready) stream.fail(this.unavailable())
      else if (signal.aborted) stream.cancelled()
      else {
        this.running.add(stream)
        stream.begin(this.client.open(encodeGenerate(request), stream))
      }
    })
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<Embedding> {
    if (!this.ready) throw this.unavailable()
    const message = await this.ask(encodeEmbed(request), signal, true)
    if (message?.[0] !== messages.vector) throw unreadable()
    return decodeVector(message)
  }

  async control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return value(await this.ask(encodeNamed(operations.control, name, args)))
  }

  async call(name: string, args: Record<string, unknown>, signal?: AbortSignal): Promise<unknown> {
    return value(await this.ask(encodeNamed(operations.call, name, args), signal))
  }

  async metrics(): Promise<string> {
    return String(value(await this.ask(encodeNamed(operations.metrics, '', {}))))
  }

  inFlight(): number {
    let count = 0
    for (const one of this.running) if (one.counts) count++
    return count
  }

  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener)
    const following = this.events?.subscribe(listener)
    const end = () => {
      this.listeners.delete(listener)
      following?.close()
    }
    this.unsubscribe.push(end)
    return end
  }

  async stop(deadlineMs: number): Promise<void> {
    if (!this.stopping) {
      this.stopping = true
      this.check('stopped')
    }
    if (deadlineMs > 0) await this.until(() => this.running.size === 0, deadlineMs)
    this.client.close()
    for (const end of this.unsubscribe.splice(0)) end()
  }

  private ask(head: Uint8Array, signal?: AbortSignal, counts = false): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const answer = new Answer(signal, counts, resolve, reject, this.done)
      if (signal?.aborted) return answer.cancelled()
      this.running.add(answer)
      answer.begin(this.client.open(head, answer))
    })
  }

  private check(reason: string): void {
    const ready = this.started && !this.stopping && this.client.connected && this.card.ready
    if (ready !== this.ready) {
      this.ready = ready
      this.emit({ kind: 'state', ready, reason })
    }
    for (const wake of this.changed) wake()
  }

  private emit(event: EngineEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  private unavailable(): AppError {
    const reason = this.stopping ? 'it is being left' : this.client.connected ? 'it is not ready' : 'there is no connection to it now'
    return new AppError('engine_unavailable', { message: `The worker cannot take requests: ${reason}.`, retryAfterSecs: 1 })
  }

  /** Until `condition` holds or `withinMs` have passed. */
  private until(condition: () => boolean, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (condition()) finish()
      }
      const finish = () => {
        clearTimeout(timer)
        this.changed.delete(look)
        resolve()
      }
      const timer = setTimeout(finish, withinMs)
      this.changed.add(look)
      look()
    })
  }
}

function value(message: Uint8Array | undefined): unknown {
  if (message?.[0] !== messages.value) throw unreadable()
  return decodeBody(message)
}

function unreadable(): AppError {
  return new AppError('engine_failed', { message: "The worker's answer could not be read; does it run another version?" })
}
