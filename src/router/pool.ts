// The router over one pool of workers, all of one role: candidates → scores → pick → book; and the way back when a request is over.
import { AppError, clientGone } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { type HistogramChild, routerHitRate, routerOverhead } from '../lib/metrics.ts'
import { Affinity } from './admission/affinity.ts'
import { queueWeight } from './admission/queue.ts'
import { WaitingRoom } from './admission/waiting-room.ts'
import { gather, type Verdict } from './choice/candidates.ts'
import { logFields, tell } from './choice/explain.ts'
import { allBusy, needsWorker, noneReady } from './choice/refusals.ts'
import { type ScoreOptions, score, uncachedTokens, withOverrides } from './choice/score.ts'
import { type Clock, realClock } from './clock.ts'
import { type Cost, findCost } from './cost.ts'
import { fastIndex } from './index/fast.ts'
import type { KvIndex } from './index/index.ts'
import type { BookingEvent } from './load/bookings.ts'
import { showFigures } from './load/figures.ts'
import { Ledger, ownBookings } from './load/ledger.ts'
import { RemoteBookings } from './load/remote-bookings.ts'
import { Members } from './members/members.ts'
import { PromptGroup } from './members/prompt-group.ts'
import type { Slot } from './members/slots.ts'
import { defaultRouterOptions, type RouterOptions } from './options.ts'
import type { Policy } from './policies/policy.ts'
import { findPolicy } from './policies/registry.ts'
import type { BusyThresholds, Decision, Lease, Placement, Router } from './router.ts'
import type { Workers } from './workers.ts'

/** What most callers leave out. */
export interface PoolParts {
  /** The label of its histograms. */
  readonly model?: string
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
  private readonly overhead: HistogramChild
  private readonly hitRate: HistogramChild
  private readonly policy: Policy
  private readonly cost: Cost
  private readonly scoring: ScoreOptions
  private readonly random: () => number
  private readonly clock: Clock
  private readonly members: Members
  private readonly room: WaitingRoom
  private readonly remote: RemoteBookings
  private readonly affinity: Affinity | undefined
  private readonly ledger: Ledger
  private readonly hideFigures: () => void
  private busy: BusyThresholds

  // Of the placement that is being decided.
  private readonly list: Slot[] = []
  private bound: Slot | undefined

  constructor(
    workers: Workers,
    options: RouterOptions,
    { model = '', makeIndex = fastIndex, random = Math.random, clock = realClock }: PoolParts,
  ) {
    this.options = options
    this.overhead = routerOverhead.model(model)
    this.hitRate = routerHitRate.model(model)
    this.policy = findPolicy(options.mode)
    this.cost = findCost(options.cost)
    this.scoring = { ...options, shareBlocks: options.assumeKvReuse && options.trackActiveBlocks }
    this.random = random
    this.clock = clock
    this.busy = options
    this.affinity = options.sessionAffinityTtlSecs === undefined ? undefined : new Affinity(options.sessionAffinityTtlSecs * 1000)
    this.ledger = new Ledger(options, clock, () => this.room.wake())
    this.room = new WaitingRoom({
      clock,
      limit: options.queueLimit,
      deadlineMs: options.queueDeadlineSecs * 1000,
      overloadStatus: options.overloadStatus,
      attempt: (placement) => this.attempt(placement, true),
    })
    this.members = new Members(workers, {
      // Where nobody asks what lies where, nothing is kept of it.
      useKvEvents: options.useKvEvents && this.policy.scored && options.overlapScoreCredit > 0,
      makeGroup: (blockSize) => new PromptGroup(blockSize, makeIndex()),
      changed: () => this.room.wake(),
      ready: (member) => this.ledger.tellBreaker(member, 'ready'),
      removed: (slot) => this.affinity?.forget(slot),
    })
    this.remote = new RemoteBookings(this.members, (slot, chain) => this.ledger.predict(slot, chain))
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
    const scoring = withOverrides(this.scoring, placement.overrides)
    if (this.policy.scored) score(this.members.slots(), placement, this.cost, scoring, this.members, this.clock.now())
    const chosen = verdict === 'open' ? this.pick(placement, scoring) : undefined
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
    return this.ledger.listen(listener)
  }

  /** This frontend's bookings as they stand, for one that has just come. */
  bookings(): BookingEvent[] {
    return ownBookings(this.members)
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

  /** Undefined: it should wait. One that waits already goes on waiting while all are busy. */
  private attempt(placement: Placement, waits: boolean): Lease | undefined {
    const begin = performance.now()
    const verdict = this.gather(placement)
    if (verdict === 'full' || (verdict === 'busy' && waits)) return undefined
    if (verdict === 'busy') throw allBusy(this.options.overloadStatus)
    if (verdict === 'unavailable') throw noneReady(placement, this.bound)
    const scoring = withOverrides(this.scoring, placement.overrides)
    const slot = this.pick(placement, scoring)
    this.logDecision(placement, slot)
    const lease = this.ledger.take(slot, placement, scoring)
    if (placement.sessionId !== undefined) this.affinity?.bind(placement.sessionId, slot, this.clock.now())
    this.overhead.observe(performance.now() - begin)
    if (this.policy.scored && placement.promptIds.length > 0) this.hitRate.observe(lease.overlapTokens / placement.promptIds.length)
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
  private pick(placement: Placement, scoring: ScoreOptions): Slot {
    const { list, policy } = this
    score(list, placement, policy.scored ? this.cost : undefined, scoring, this.members, this.clock.now())
    if (this.bound !== undefined) {
      if (list.includes(this.bound)) return this.bound
      this.bound = undefined
    }
    const temperature = placement.overrides?.temperature ?? this.options.temperature
    return list[policy.pick(list, { temperature, random: this.random })]!
  }

  private tell(placement: Placement, verdict: Verdict, chosen: Slot | undefined, allScored: boolean): Decision {
    const { members, policy, list, bound } = this
    return tell({ members, policy, placement, verdict, list, allScored, chosen, bound })
  }

  private logDecision(placement: Placement, slot: Slot): void {
    const level = this.options.logDecisions ? 'info' : 'debug'
    if (!log.isLevelEnabled(level)) return
    log[level]({ id: placement.requestId, ...logFields(this.tell(placement, 'open', slot, false)) }, 'placed')
  }

  private weight(placement: Placement): number {
    const { queuePolicy } = this.options
    if (queuePolicy === 'fcfs') return 0
    return queueWeight(queuePolicy, placement.priority ?? 0, uncachedTokens(this.members, placement, this.clock.now()))
  }
}
