// What a placed request holds: its engine, and the way to give its bookings back, once.
import type { Engine } from '../../engine/engine.ts'
import type { BreakerEvent } from '../admission/breaker.ts'
import type { Booking } from '../members/slots.ts'
import type { Lease, Outcome } from '../router.ts'
import type { Prediction } from './predictions.ts'

export interface LeaseOwner {
  /** The first row came. */
  begin(lease: PoolLease): void
  end(lease: PoolLease, outcome: Outcome | undefined): void
}

export class PoolLease implements Lease {
  readonly workerId: string
  readonly dpRank: number | undefined
  readonly engine: Pick<Engine, 'generate' | 'embed'>
  readonly overlapTokens: number
  readonly embedding: boolean
  readonly booking: Booking
  readonly prediction: Prediction | undefined
  begun = false
  private over = false
  private readonly owner: LeaseOwner

  constructor(
    owner: LeaseOwner,
    booking: Booking,
    prediction: Prediction | undefined,
    dpRank: number | undefined,
    overlapTokens: number,
    embedding: boolean,
  ) {
    this.owner = owner
    this.booking = booking
    this.prediction = prediction
    this.workerId = booking.slot.workerId
    this.dpRank = dpRank
    this.engine = booking.slot.member.worker.engine
    this.overlapTokens = overlapTokens
    this.embedding = embedding
  }

  started(): void {
    if (this.begun || this.over) return
    this.begun = true
    this.owner.begin(this)
  }

  release(outcome?: Outcome): void {
    if (this.over) return
    this.over = true
    this.owner.end(this, outcome)
  }
}

/** What the end of a request says about its engine. */
export function endingOf({ begun, embedding }: PoolLease, outcome: Outcome | undefined): BreakerEvent {
  const code = outcome?.error?.code
  if (code === 'engine_failed' || code === 'engine_unavailable') return 'failure'
  const answered = begun || (outcome?.usage?.completionTokens ?? 0) > 0 || (embedding && outcome !== undefined && code === undefined)
  return answered ? 'success' : 'unknown'
}
