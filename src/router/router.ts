// Seam: where a request runs. Load is booked before `place` returns and given back by the one `release`.
import type { Engine } from '../engine/engine.ts'
import type { EngineUsage } from '../engine/types.ts'

export interface Placement {
  requestId: string
  promptIds: Uint32Array
  /** Only this worker, only this rank. */
  workerId?: string | undefined
  dpRank?: number | undefined
}

export interface Lease {
  readonly workerId: string
  readonly engine: Engine
  readonly dpRank: number | undefined
  /** Gives the booked load back; a second call does nothing. */
  release(usage?: EngineUsage): void
}

export interface Router {
  /** Throws AppError `engine_unavailable` when no worker can take it. */
  place(placement: Placement, signal: AbortSignal): Lease | Promise<Lease>
  /** True when some worker can take a request now. */
  ready(): boolean
}
