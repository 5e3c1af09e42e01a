// An encoder on another machine: the VisionEncoder seam over the request plane. What it is and whether it can comes from the worker itself, on a stream that stays open.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { newId } from '../../../lib/ids.ts'
import type { StageTimer } from '../../../lib/vision-stages.ts'
import type { OutgoingStream, PlaneClient } from '../../../transport/request-plane.ts'
import type { MediaItem } from '../../types.ts'
import { bytesPerValue, patchesOf } from '../embeddings.ts'
import type { Embeddings, EncoderInfo, VisionEncoder } from '../vision.ts'
import { ask, Places } from './ask.ts'
import {
  encodeHead,
  type FarRows,
  type FarState,
  maxItemBytes,
  messages,
  notOurs,
  operations,
  partBytes,
  readRows,
  readState,
} from './protocol.ts'

/** Parts that are on their way on one connection: enough to keep it busy, far below what the worker may hold for us. */
const partsAtOnce = 16
const rewatchMs = 500

/** `client` is this encoder's alone, and ends with it. */
export function remoteEncoder(client: PlaneClient, time: StageTimer = () => {}): VisionEncoder {
  return new Remote(client, time)
}

class Remote implements VisionEncoder {
  /** Its worker has a pool of its own. */
  readonly retries = true
  private readonly client: PlaneClient
  private readonly time: StageTimer
  private readonly caller = newId()
  private readonly listeners = new Set<Parameters<VisionEncoder['on']>[0]>()
  private readonly places = new Places(partsAtOnce)
  private readonly running = new Map<AbortController, number>()
  private facts: EncoderInfo | undefined
  private far: FarState | undefined
  private watching: OutgoingStream | undefined
  /** Counts watches, so that an earlier one is not heard any more. */
  private round = 0
  private again: ReturnType<typeof setTimeout> | undefined
  private off: (() => void) | undefined
  private started = Promise.withResolvers<EncoderInfo>()
  private told = false
  private stopped = false

  constructor(client: PlaneClient, time: StageTimer) {
    this.client = client
    this.time = time
    this.started.promise.catch(() => {})
  }

  get info(): EncoderInfo {
    if (this.facts === undefined) throw unavailable()
    return this.facts
  }

  get ready(): boolean {
    return !this.stopped && this.far?.ready === true && this.client.connected
  }

  start(): Promise<EncoderInfo> {
    if (this.off === undefined && !this.stopped) {
      this.off = this.client.onState((connected) => {
        if (connected) this.watch()
        else this.lost('the connection is gone')
      })
      if (this.client.connected) this.watch()
    }
    return this.started.promise
  }

  async encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) throw cancelled()
    if (!this.ready) throw unavailable()
    const size = (item.frames ?? []).reduce((sum, frame) => sum + frame.length, item.file.length)
    if (size > maxItemBytes)
      throw new AppError('invalid_image', { message: `A picture of ${Math.round(size / 1e6)} MB is more than an encode worker takes.` })
    const ended = new AbortController()
    const onAbort = () => ended.abort(cancelled())
    signal.addEventListener('abort', onAbort, { once: true })
    this.running.set(ended, patchesOf(item))
    try {
      return await this.run(item, ended.signal)
    } catch (thrown) {
      throw ended.signal.aborted ? ended.signal.reason : fromWorker(thrown)
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.running.delete(ended)
    }
  }

  /** Our own at once, those of others as the worker tells them. */
  patchesInFlight(): number {
    let sum = this.far?.others ?? 0
    for (const patches of this.running.values()) sum += patches
    return sum
  }

  /** The worker's process; what becomes of encoders that stand still there is its matter. */
  get heardAt(): number | undefined {
    return this.client.heardAt
  }

  on(listener: Parameters<VisionEncoder['on']>[0]): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    clearTimeout(this.again)
    this.off?.()
    this.round++
    this.watching?.cancel()
    for (const ended of this.running.keys()) ended.abort(unavailable())
    this.started.reject(unavailable())
    this.tell('stopped')
    this.client.close()
  }

  private async run(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    const job = newId()
    const asked = performance.now()
    const rows = Promise.withResolvers<FarRows>()
    const stream = this.client.open(encodeHead(operations.encode, { job, caller: this.caller, item: lean(item) }), {
      message: (bytes) => heard(bytes, readRows, rows.resolve, rows.reject),
      end: () => rows.reject(notOurs()),
      fail: rows.reject,
    })
    const onAbort = () => rows.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const { rows: count, dim, type, grid, itemHash, size, bytes, ms } = await rows.promise
      // More than the prompt has room for is not fetched to be refused then.
      if (size > item.tokens * this.info.dim * bytesPerValue[this.info.type]) throw notOurs()
      const whole = bytes ?? (await this.pull(job, size, signal))
      // The two clocks need not agree: it is the worker's own duration that is taken off.
      if (ms !== undefined) this.time('transfer', performance.now() - asked - ms)
      return { rows: count, dim, type, grid, itemHash: BigInt(`0x${itemHash}`), bytes: whole }
    } finally {
      signal.removeEventListener('abort', onAbort)
      // Also when all is here: the worker lets the rows go.
      stream.cancel()
    }
  }

  private async pull(job: string, size: number, signal: AbortSignal): Promise<Uint8Array> {
    const whole = new Uint8Array(size)
    const starts = Array.from({ length: Math.ceil(size / partBytes) }, (_, i) => i * partBytes)
    await Promise.all(
      starts.map((start) =>
        this.places.use(async () => {
          signal.throwIfAborted()
          const message = await ask(this.client, encodeHead(operations.part, { job, start }))
          if (message[0] !== messages.part || message.length - 1 !== Math.min(partBytes, size - start)) throw notOurs()
          whole.set(message.subarray(1), start)
        }),
      ),
    )
    return whole
  }

  /** Hears the worker's state until it ends the stream or is gone. */
  private watch(): void {
    if (this.stopped) return
    clearTimeout(this.again)
    const round = ++this.round
    this.watching?.cancel()
    const ended = () => {
      if (round !== this.round) return
      this.lost('the worker tells nothing of itself')
      // A worker that went away tells so by its connection; one that only ended the stream is asked again.
      this.again = setTimeout(() => this.client.connected && this.watch(), rewatchMs)
    }
    const unreadable = () => {
      this.watching?.cancel()
      ended()
    }
    this.watching = this.client.open(encodeHead(operations.watch, { caller: this.caller }), {
      message: (bytes) => {
        if (round === this.round) heard(bytes, readState, (state) => this.heard(state), unreadable)
      },
      end: ended,
      fail: ended,
    })
  }

  private heard(state: FarState): void {
    this.far = state
    if (state.info !== undefined) this.facts = state.info
    if (state.ready && this.facts !== undefined) this.started.resolve(this.facts)
    this.tell(state.reason)
  }

  private lost(reason: string): void {
    this.round++
    this.far = undefined
    this.watching = undefined
    this.tell(reason, !this.stopped)
  }

  /** `died`: it was lost; one that leaves says that it is not ready before it goes. */
  private tell(reason: string, died = false): void {
    const { ready } = this
    if (this.told === ready) return
    this.told = ready
    for (const listener of this.listeners) listener({ ready, reason, died })
  }
}

/** Rows of an earlier attempt and the request's field are no part of the picture. */
function lean({ rows: _, param: __, ...item }: MediaItem): MediaItem {
  return item
}

/** It is not this process that shuts down, and another worker may take the picture. */
function fromWorker(thrown: unknown): unknown {
  const leaving = thrown instanceof AppError && thrown.code === 'shutting_down'
  return leaving
    ? new AppError('engine_unavailable', { message: 'The encode worker was shut down before it was done.', retryAfterSecs: 1 })
    : thrown
}

function unavailable(): AppError {
  return new AppError('engine_unavailable', { message: 'The encode worker cannot take pictures now.', retryAfterSecs: 2 })
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}

/** What `bytes` say goes to `take`, that they cannot be read to `fail`. */
function heard<T>(bytes: Uint8Array, read: (bytes: Uint8Array) => T, take: (value: T) => void, fail: (error: AppError) => void): void {
  let value: T
  try {
    value = read(bytes)
  } catch (thrown) {
    fail(toAppError(thrown))
    return
  }
  take(value)
}
