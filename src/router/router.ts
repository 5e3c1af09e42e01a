// Seam: where a request runs. Load is booked before `place` returns and given back by the one `release`.
import type { Engine } from '../engine/engine.ts'
import type { EngineUsage } from '../engine/types.ts'
import type { AppError } from '../lib/errors.ts'

export interface Placement {
  requestId: string
  promptIds: Uint32Array
  /** The answer's length at most, when it is known: an estimate of the blocks it will take. */
  maxNewTokens?: number | undefined
  /** What keeps equal prompts apart (lib/block-hash.ts). */
  lora?: string | undefined
  cacheSalt?: string | undefined
  /** Higher goes first in the queue. */
  priority?: number | undefined
  /** Only this worker, only this rank; with prefill and decode apart these name the decode side. */
  workerId?: string | undefined
  dpRank?: number | undefined
  prefillWorkerId?: string | undefined
  prefillDpRank?: number | undefined
  /** Requests of one session go to one worker while it lives (X-Dynamo-Session-ID). */
  sessionId?: string | undefined
  /** Workers that failed this request before; used only if no other is left. */
  avoid?: ReadonlySet<string> | undefined
  overrides?: RouterOverrides | undefined
  /** An embedding: no decode, no disaggregation. */
  embedding?: boolean | undefined
}

/** Dynamo's `nvext.router_config_override`: this request only. */
export interface RouterOverrides {
  overlapScoreCredit?: number
  prefillLoadScale?: number
  temperature?: number
  assumeKvReuse?: boolean
  trackPrefillTokens?: boolean
}

/** How a request ended, for the bookings and the breaker. */
export interface Outcome {
  usage?: EngineUsage
  error?: AppError
}

export interface Lease {
  readonly workerId: string
  readonly dpRank: number | undefined
  /** With prefill and decode apart: the prefill side. */
  readonly prefillWorkerId?: string
  readonly prefillDpRank?: number
  /** The request's own end of the engine(s): with prefill and decode apart it runs both legs, which live and die together. */
  readonly engine: Pick<Engine, 'generate' | 'embed'>
  /** Prompt tokens that the worker is believed to hold already. */
  readonly overlapTokens: number
  /** The first row came: the prompt is computed, its booked prefill load is over. Later calls do nothing. */
  started(): void
  /** Gives the booked load back; a second call does nothing. */
  release(outcome?: Outcome): void
}

/** Why a request went where it went. Everything is in the model's own units: tokens, blocks, cost in blocks. */
export interface Decision {
  mode: string
  blockSize: number
  promptTokens: number
  promptBlocks: number
  /** `worker/rank` of the chosen one, and a few words why. */
  chosen: string | null
  reason: string
  candidates: CandidateScore[]
  /** With prefill and decode apart: the choice on the prefill side. */
  prefill?: Decision
}

export interface CandidateScore {
  workerId: string
  dpRank: number
  /** Leading prompt blocks this rank holds, by tier: each counts on where the one above ends. `predicted` (sent there lately) is part of `device`. */
  overlap: { device: number; host: number; disk: number; predicted: number }
  /** What is booked on it now. */
  load: { prefillTokens: number; decodeBlocks: number; requests: number }
  /** Lower is better; absent for policies that do not score. */
  cost?: number
  /** What the cost was made of (router/cost.ts). */
  terms?: Readonly<Record<string, number | boolean>>
  /** Why it cannot take the request; absent: it can. */
  excluded?: string
}

/** Dynamo's `POST /busy_threshold`: part of a rank's blocks (0 to 1), booked prompt tokens, and the same as a multiple of a longest prefill step. */
export interface BusyThresholds {
  readonly activeDecodeBlocksThreshold?: number | undefined
  readonly activePrefillTokensThreshold?: number | undefined
  readonly activePrefillTokensThresholdFrac?: number | undefined
}

export interface Router {
  /**
   * Throws (or rejects with) an AppError: `engine_unavailable` when no worker can take it, `overloaded` when all are beyond their limits,
   * `invalid_value` for a worker or rank that does not exist. May wait in the queue; an aborted signal ends that with `client_closed_request`.
   */
  place(placement: Placement, signal: AbortSignal): Lease | Promise<Lease>
  /** The same choice without booking or waiting. */
  explain(placement: Placement): Decision
  /** True when some worker can take a request now. */
  ready(): boolean
  /** For how many ms it has not been ready; 0 when it is, Infinity when it never was. */
  absentMs?(): number
  /** Everything booked, over all workers: all 0 when nothing runs. */
  booked(): { requests: number; prefillTokens: number; decodeBlocks: number; queued: number }
  /** Thresholds beyond which a rank is busy; `change` replaces those it names (undefined turns one off), without it they are only told. */
  busyThresholds?(change?: BusyThresholds): BusyThresholds
  close(): void
  /** True after `close`: nobody will be ready again. */
  closed?(): boolean
}
