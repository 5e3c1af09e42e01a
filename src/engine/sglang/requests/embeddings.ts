// Embeddings inside the engine: the same slots as generation, one vector as the answer (EMB_OUT).
import { AppError, requestCancelled } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import type { Embedding, Sink } from '../../types.ts'
import { toFinish } from './finish.ts'
import type { Rows } from './rows.ts'
import type { Running, Slots } from './slots.ts'

type WireEmbedding = [slot: number, gen: number, promptTokens: number, vector: Uint8Array | null, finish: unknown[] | null]

export class Embeddings {
  private readonly slots: Slots
  private readonly rows: Rows
  /** Who waits for a vector. */
  private readonly waiting = new Map<Running, (embedding: Embedding) => void>()

  constructor(slots: Slots, rows: Rows) {
    this.slots = slots
    this.rows = rows
  }

  /** Takes a slot, calls `send`, and resolves with its vector; an aborted `signal` calls `abort` and rejects. */
  run(
    epoch: string,
    promptTokens: number,
    signal: AbortSignal,
    send: (running: Running) => void,
    abort: (running: Running) => void,
    rank?: number,
  ): Promise<Embedding> {
    if (signal.aborted) return Promise.reject(requestCancelled())
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        abort(running)
        this.slots.fail(running, requestCancelled())
      }
      const sink: Sink = {
        push() {},
        end: (finish) => {
          const refusal = finish.kind === 'abort' ? finish : { message: 'The engine gave no vector.', status: 500 }
          const status = refusal.status ?? 499
          if (status === 499) reject(requestCancelled())
          else reject(new AppError(status >= 500 ? 'engine_failed' : 'engine_rejected', { message: refusal.message, status }))
        },
        fail: reject,
      }
      const ended = () => {
        this.waiting.delete(running)
        signal.removeEventListener('abort', onAbort)
      }
      const running = this.slots.open(epoch, promptTokens, sink, 0, ended, rank)
      this.waiting.set(running, resolve)
      signal.addEventListener('abort', onAbort, { once: true })
      send(running)
    })
  }

  /** One EMB_OUT message. */
  take(bytes: Uint8Array): void {
    for (const [slot, gen, promptTokens, vector, finish] of (decode(bytes) as [number, WireEmbedding[]])[1]) {
      const running = this.slots.find(slot, gen)
      if (!running) {
        this.slots.unknownRows++
        continue
      }
      this.rows.finish(running)
      if (vector) this.waiting.get(running)?.({ vector: new Float32Array(new Uint8Array(vector).buffer), promptTokens })
      this.slots.end(running, toFinish(finish?.[0] ?? 'stop', finish?.[1], finish?.[2], finish?.[3], finish?.[4]))
    }
  }
}
