// The router over one pool of workers, all of one role: candidates → scores → pick → book; and the way back when a request is over.
import type { HashPairs } from '../lib/block-hash.ts'
import { AppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { routerOverhead } from '../lib/metrics.ts'
import { type BreakerEvent, stepBreaker } from './admission/breaker.ts'
import { queueWeight } from './admission/queue.ts'
import { clientGone, WaitingRoom } from './admission/waiting-room.ts'
import { Affinity } from './affinity.ts'
import { gather, type Verdict } from './candidates.ts'
import { type Clock, realClock } from './clock.ts'
import { type Cost, findCost } from './cost.ts'
import { tell } from './explain.ts'
import { showFigures } from './figures.ts'
import { fastIndex } from './index/fast.ts'
import type { KvIndex } from './index/index.ts'
import { endingOf, PoolLease } from './lease.ts'
import { type BookingEvent, book, bookingEvent, endPrefill, free } from './load/bookings.ts'
import type { Prediction } from './load/predictions.ts'
import { RemoteBookings } from './load/remote-bookings.ts'
import { Members } from './members.ts'
import { defaultRouterOptions, type RouterOptions } from './options.ts'
import type { Policy } from './policies/policy.ts'
import { findPolicy } from './policies/registry.ts'
import { PromptGroup } from './prompt-group.ts'
import { allBusy, needsWorker, noneReady } from './refusals.ts'
import type { BusyThresholds, Decision, Lease, Outcome, Placement, Router } from './router.ts'
import { type ScoreOptions, score, uncachedTokens, withOverrides } from './score.ts'
import type { Member, Slot } from './slots.ts'
import type { Workers } from './workers.ts'

/** What tests and benches replace. */
export interface PoolParts {
  readonly makeIndex?: () => KvIndex
  /** From 0 to below 1. */
  readonly random?: () => number
  readonly clock?: Clock
}

/** Follows `workers` until `close`. Throws AppError `invalid_setting` for an unknown mode or cost. */
export function createPool(workers: Workers, options: RouterOptions = defaultRouterOptions, parts: PoolParts = {}): Pool {
  return new Pool(workers, options, parts)
}

export class Pool implements Router {
  private readonly options: RouterOptions
  private readonly policy: Policy
  private readonly cost: Cost
  private readonly scoring: ScoreOptions
  private readonly random: () => number
  private readonly clock: Clock
  private readonly members: Members
  private readonly room: WaitingRoom
  private readonly remote: RemoteBookings
  private readonly affinity: Affinity | undefined
  private readonly listeners = new Set<(event: BookingEvent) => void>()
  private readonly hideFigures: () => void
  private busy: BusyThresholds
  private placements = 0
  private keys = 0

  // Of the placement that is being decided.
  private readonly list: Slot[] = []
  private bound: Slot | undefined

  constructor(workers: Workers, options: RouterOptions, { makeIndex = fastIndex, random = Math.random, clock = realClock }: PoolParts) {
    this.options = options
    this.policy = findPolicy(options.mode)
    this.cost = findCost(options.cost)
    this.scoring = { ...options, shareBlocks: options.assumeKvReuse && options.trackActiveBlocks }
    this.random = random
    this.clock = clock
    this.busy = options
    this.affinity = options.sessionAffinityTtlSecs === undefined ? undefined : new Affinity(options.sessionAffinityTtlSecs * 1000)
    this.room = new WaitingRoom({
      clock,
      limit: options.queueLimit,
      deadlineMs: options.queueDeadlineSecs * 1000,
      overloadStatus: options.overloadStatus,
      attempt: (placement) => this.attempt(placement, true),
    })
    this.members = new Members(workers, {
      useKvEvents: options.useKvEvents,
      makeGroup: (blockSize) => new PromptGroup(blockSize, makeIndex()),
      changed: () => this.room.wake(),
      ready: (member) => this.tellBreaker(member, 'ready'),
      removed: (slot) => this.affinity?.forget(slot),
    })
    this.remote = new RemoteBookings(this.members)
    this.hideFigures = showFigures(this.members, () => this.room.size)
  }

  place(placement: Placement, signal: AbortSignal): Lease | Promise<Lease> {
    if (signal.aborted) throw clientGone()
    // Who comes later waits behind those who wait.
    const lease = this.room.size > 0 ? undefined : this.attempt(placement, false)
    return lease ?? this.room.enter(placement, this.weight(placement), signal)
  }

  explain(placement: Placement): Decision {
    const verdict = this.gather(placement)
    // Those that cannot take it have a score too.
    if (this.policy.scored)
      score(this.members.slots(), placement, this.cost, withOverrides(this.scoring, placement.overrides), this.members, this.clock.now())
    const chosen = verdict === 'open' ? this.pick(placement) : undefined
    return this.tell(placement, verdict, chosen, true)
  }

  ready(): boolean {
    for (const { worker } of this.members.byId.values()) if (worker.engine.ready) return true
    return false
  }

  booked(): { requests: number; prefillTokens: number; decodeBlocks: number; queued: number } {
    const sum = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: this.room.size }
    for (const { slots } of this.members.byId.values())
      for (const slot of slots) {
        sum.requests += slot.requests
        sum.prefillTokens += slot.prefillTokens
        sum.decodeBlocks += slot.blocks
      }
    return sum
  }

  close(): void {
    this.room.close(new AppError('shutting_down', { message: 'The server is shutting down.', retryAfterSecs: 1 }))
    this.members.close()
    this.hideFigures()
  }

  /** Thresholds beyond which a rank is busy; `change` replaces those it names, undefined values turn them off. */
  busyThresholds(change?: BusyThresholds): BusyThresholds {
    if (change !== undefined) {
      this.busy = { ...this.busy, ...change }
      this.room.wake()
    }
    const { activeDecodeBlocksThreshold, activePrefillTokensThreshold, activePrefillTokensThresholdFrac } = this.busy
    return { activeDecodeBlocksThreshold, activePrefillTokensThreshold, activePrefillTokensThresholdFrac }
  }

  /** Hears each booking of this frontend, for other frontends; the returned function ends it. Chains are shared: do not change them. */
  onBooking(listener: (event: BookingEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** This frontend's bookings as they stand, for one that has just come. */
  bookings(): BookingEvent[] {
    const own: BookingEvent[] = []
    for (const { slots } of this.members.byId.values())
      for (const slot of slots) for (const booking of slot.bookings) if (!booking.remote) own.push(bookingEvent(booking))
    return own
  }

  /** What another frontend booked on the same workers. */
  applyRemote(frontendId: string, event: BookingEvent): void {
    this.remote.apply(frontendId, event)
    if (event.kind !== 'add') this.room.wake()
  }

  /** That frontend is gone, or will tell all of its bookings anew. */
  dropRemote(frontendId: string): void {
    this.remote.drop(frontendId)
    this.room.wake()
  }

  /** For PoolLease. */
  begin({ booking }: PoolLease): void {
    this.tellBreaker(booking.slot.member, 'success')
    if (!endPrefill(booking)) return
    if (this.listeners.size > 0) this.emit({ kind: 'started', key: booking.key })
    this.room.wake()
  }

  /** For PoolLease. */
  end(lease: PoolLease, outcome: Outcome | undefined): void {
    const { booking, prediction } = lease
    const ending = endingOf(lease, outcome)
    this.tellBreaker(booking.slot.member, ending)
    if (ending !== 'success' && !lease.begun && prediction !== undefined) booking.slot.group.predictions.drop(prediction)
    if (!free(booking)) return
    if (this.listeners.size > 0) this.emit({ kind: 'free', key: booking.key })
    this.room.wake()
  }

  /** Undefined: it should wait. One that waits already goes on waiting while all are busy. */
  private attempt(placement: Placement, waits: boolean): Lease | undefined {
    const begin = performance.now()
    const verdict = this.gather(placement)
    if (verdict === 'full' || (verdict === 'busy' && waits)) return undefined
    if (verdict === 'busy') throw allBusy(this.options.overloadStatus)
    if (verdict === 'unavailable') throw noneReady(placement, this.bound)
    const slot = this.pick(placement)
    this.logDecision(placement, slot)
    const lease = this.book(slot, placement)
    overhead.observe(performance.now() - begin)
    return lease
  }

  private gather(placement: Placement): Verdict {
    if (this.policy.pinnedOnly && placement.workerId === undefined) throw needsWorker(this.policy.name)
    const { sessionId, workerId, avoid } = placement
    const now = this.clock.now()
    let bound: Slot | undefined
    if (this.affinity !== undefined && sessionId !== undefined && workerId === undefined) {
      bound = this.affinity.find(sessionId, now)
      if (bound !== undefined && avoid?.has(bound.workerId)) bound = undefined
    }
    this.bound = bound
    const { engineRequestLimit, queueThreshold, sessionAffinityMode } = this.options
    const gates = { now, busy: this.busy, engineRequestLimit, queueThreshold, bound, hard: sessionAffinityMode === 'hard' }
    return gather(this.members, placement, gates, this.list)
  }

  /** One of `list`, which is not empty. */
  private pick(placement: Placement): Slot {
    const { list, policy } = this
    const scoring = withOverrides(this.scoring, placement.overrides)
    score(list, placement, policy.scored ? this.cost : undefined, scoring, this.members, this.clock.now())
    if (this.bound !== undefined) {
      if (list.includes(this.bound)) return this.bound
      this.bound = undefined
    }
    const temperature = placement.overrides?.temperature ?? this.options.temperature
    return list[policy.pick(list, { temperature, random: this.random })]!
  }

  private book(slot: Slot, placement: Placement): Lease {
    const { promptIds, maxNewTokens = 0, embedding = false, overrides, sessionId, dpRank } = placement
    const { trackActiveBlocks, trackOutputBlocks, trackPrefillTokens } = this.options
    const { blockSize, chain } = slot.group
    const overlapTokens = Math.min(promptIds.length, slot.overlap * blockSize)
    const shares = withOverrides(this.scoring, overrides).shareBlocks && chain.length > 0
    const kept = chain.length > 0 ? chain.slice() : noChain
    let ownBlocks = 0
    if (trackActiveBlocks && !embedding) {
      ownBlocks = Math.ceil(promptIds.length / blockSize) - (shares ? chain.length / 2 : 0)
      if (trackOutputBlocks) ownBlocks += Math.ceil(maxNewTokens / 2 / blockSize)
    }
    const booking = book(slot, {
      key: ++this.keys,
      prefillTokens: (overrides?.trackPrefillTokens ?? trackPrefillTokens) ? promptIds.length - overlapTokens : 0,
      ownBlocks,
      chain: shares ? kept : noChain,
    })
    slot.lastPlaced = ++this.placements
    slot.placed++
    slot.promptBlocks += Math.ceil(promptIds.length / blockSize)
    slot.overlapBlocks += slot.overlap
    this.tellBreaker(slot.member, 'placed')
    if (sessionId !== undefined) this.affinity?.bind(sessionId, slot, this.clock.now())
    if (this.listeners.size > 0) this.emit(bookingEvent(booking))
    const rank = slot.member.slots.length > 1 ? slot.rank : dpRank
    return new PoolLease(this, booking, this.predict(slot, kept), rank, overlapTokens, embedding)
  }

  /** From now on the slot counts as holding this prompt. */
  private predict(slot: Slot, chain: HashPairs): Prediction | undefined {
    const seconds = slot.approximate ? this.options.ttlSecs : this.options.predictedTtlSecs
    if (seconds === 0 || chain.length === 0) return undefined
    return slot.group.predictions.add(slot.number, chain, this.clock.now() + 1000 * seconds, slot.totalBlocks)
  }

  private tell(placement: Placement, verdict: Verdict, chosen: Slot | undefined, allScored: boolean): Decision {
    const { members, policy, list, bound } = this
    return tell({ members, policy, placement, verdict, list, allScored, chosen, bound })
  }

  private logDecision(placement: Placement, slot: Slot): void {
    const level = this.options.logDecisions ? 'info' : 'debug'
    if (!log.isLevelEnabled(level)) return
    const { chosen, ...decision } = this.tell(placement, 'open', slot, false)
    log[level]({ request_id: placement.requestId, ...decision }, `placed on ${chosen}`)
  }

  private weight(placement: Placement): number {
    const { queuePolicy } = this.options
    if (queuePolicy === 'fcfs') return 0
    return queueWeight(queuePolicy, placement.priority ?? 0, uncachedTokens(this.members, placement, this.clock.now()))
  }

  private tellBreaker(member: Member, event: BreakerEvent): void {
    const { breakerFailures, breakerOpenSecs } = this.options
    const before = member.breaker
    member.breaker = stepBreaker(before, event, this.clock.now(), { failures: breakerFailures, openMs: breakerOpenSecs * 1000 })
    if (before.kind === member.breaker.kind) return
    const worker = member.worker.id
    if (member.breaker.kind === 'open' && event === 'failure')
      log.warn({ worker }, `the engine fails: it is left alone for ${breakerOpenSecs} s`)
    else if (member.breaker.kind === 'closed') log.info({ worker }, 'the engine answers again')
  }

  private emit(event: BookingEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

const overhead = routerOverhead.model('')
const noChain = new Uint32Array(0)
