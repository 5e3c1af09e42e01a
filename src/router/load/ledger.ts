// The books of a pool: what a placed request takes, when it gives it back, what its end says about its engine, and who else hears of it.
import type { HashPairs } from '../../lib/block-hash.ts'
import { log } from '../../lib/log.ts'
import { type BreakerEvent, stepBreaker } from '../admission/breaker.ts'
import type { ScoreOptions } from '../choice/score.ts'
import type { Clock } from '../clock.ts'
import type { Members } from '../members/members.ts'
import type { Member, Slot } from '../members/slots.ts'
import type { RouterOptions } from '../options.ts'
import type { Outcome, Placement } from '../router.ts'
import { type BookingEvent, book, bookingEvent, endPrefill, free } from './bookings.ts'
import { endingOf, type LeaseOwner, PoolLease } from './lease.ts'
import type { Prediction } from './predictions.ts'

const noChain: HashPairs = new Uint32Array(0)

export class Ledger implements LeaseOwner {
  private readonly options: RouterOptions
  private readonly clock: Clock
  private readonly freed: () => void
  private readonly listeners = new Set<(event: BookingEvent) => void>()
  private placements = 0

  /** `freed` is called whenever there may be room again. */
  constructor(options: RouterOptions, clock: Clock, freed: () => void) {
    this.options = options
    this.clock = clock
    this.freed = freed
  }

  /** Books the request that `scoring` was decided by on this slot; reads what that decision left in the slot and its group. */
  take(slot: Slot, placement: Placement, scoring: ScoreOptions): PoolLease {
    const { promptIds, maxNewTokens = 0, embedding = false, dpRank } = placement
    const { trackActiveBlocks, trackOutputBlocks } = this.options
    const { blockSize, chain } = slot.group
    const overlapTokens = Math.min(promptIds.length, slot.overlap * blockSize)
    const promptBlocks = Math.ceil(promptIds.length / blockSize)
    const kept = chain.length > 0 ? chain.slice() : noChain
    const shared = scoring.shareBlocks ? kept : noChain
    let ownBlocks = 0
    if (trackActiveBlocks && !embedding) {
      ownBlocks = promptBlocks - shared.length / 2
      if (trackOutputBlocks) ownBlocks += Math.ceil(maxNewTokens / 2 / blockSize)
    }
    const prefillTokens = scoring.trackPrefillTokens ? promptIds.length - overlapTokens : 0
    const booking = book(slot, { key: ++this.placements, prefillTokens, ownBlocks, chain: shared })
    slot.lastPlaced = this.placements
    slot.placed++
    slot.promptBlocks += promptBlocks
    slot.overlapBlocks += slot.overlap
    this.tellBreaker(slot.member, 'placed')
    if (this.listeners.size > 0) this.emit(bookingEvent(booking))
    const rank = slot.member.slots.length > 1 ? slot.rank : dpRank
    return new PoolLease(this, booking, this.predict(slot, kept), rank, overlapTokens, embedding)
  }

  /** For PoolLease: the prompt is computed. */
  begin({ booking }: PoolLease): void {
    this.tellBreaker(booking.slot.member, 'success')
    if (!endPrefill(booking)) return
    if (this.listeners.size > 0) this.emit({ kind: 'started', key: booking.key })
    this.freed()
  }

  /** For PoolLease: the request is over. */
  end(lease: PoolLease, outcome: Outcome | undefined): void {
    const { booking, prediction, begun } = lease
    const ending = endingOf(lease, outcome)
    this.tellBreaker(booking.slot.member, ending)
    // What never began was never computed.
    if (ending !== 'success' && !begun && prediction !== undefined) booking.slot.group.predictions.drop(prediction)
    if (!free(booking)) return
    if (this.listeners.size > 0) this.emit({ kind: 'free', key: booking.key })
    this.freed()
  }

  tellBreaker(member: Member, event: BreakerEvent): void {
    const { breakerFailures, breakerOpenSecs } = this.options
    const before = member.breaker
    member.breaker = stepBreaker(before, event, this.clock.now(), { failures: breakerFailures, openMs: breakerOpenSecs * 1000 })
    if (before.kind === member.breaker.kind) return
    const worker = member.worker.id
    if (event === 'failure') log.warn({ worker }, `the engine fails: it is left alone for ${breakerOpenSecs} s`)
    else if (event === 'success') log.info({ worker }, 'the engine answers again')
  }

  listen(listener: (event: BookingEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** From now on the slot counts as holding this prompt. */
  predict(slot: Slot, chain: HashPairs): Prediction | undefined {
    const seconds = slot.approximate ? this.options.ttlSecs : this.options.predictedTtlSecs
    if (slot.forgets || seconds === 0 || chain.length === 0) return undefined
    return slot.group.predictions.add(slot.number, chain, this.clock.now() + 1000 * seconds, slot.totalBlocks)
  }

  private emit(event: BookingEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

/** This frontend's bookings as they stand. */
export function ownBookings(members: Members): BookingEvent[] {
  const own: BookingEvent[] = []
  for (const slot of members.slots()) for (const booking of slot.bookings) if (!booking.remote) own.push(bookingEvent(booking))
  return own
}
