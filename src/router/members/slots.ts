// The workers of a pool as the router counts them: a slot is one DP rank of one worker, with what is booked on it and what its engine says.
import type { EngineEvent, EngineInfo, EngineRole, KvChange } from '../../engine/types.ts'
import type { HashPairs } from '../../lib/block-hash.ts'
import { type Breaker, closedBreaker } from '../admission/breaker.ts'
import type { PrefixNode } from '../load/active-prefixes.ts'
import type { Worker } from '../workers.ts'
import type { PromptGroup } from './prompt-group.ts'

/** Why a slot cannot take a request; empty: it can. */
export type Exclusion =
  | ''
  | 'not ready'
  | 'not the worker asked for'
  | 'no such rank'
  | 'not the rank asked for'
  | 'its breaker is open'
  | 'it failed this request before'
  | 'the session is bound elsewhere'
  | 'busy: decode blocks'
  | 'busy: prefill tokens'
  | 'at its request limit'

/** A worker in the pool; its slots exist once its engine has told what it is. */
export interface Member {
  readonly worker: Worker
  slots: Slot[]
  breaker: Breaker
  unsubscribe(): void
}

/** What one request takes from its slot (load/bookings.ts). */
export interface Booking {
  readonly slot: Slot
  readonly key: number
  readonly ownBlocks: number
  readonly chain: HashPairs
  readonly node: PrefixNode | undefined
  readonly remote: boolean
  prefillTokens: number
  over: boolean
}

export class Slot {
  /** Its number in the index; used again after the worker is gone. */
  readonly number: number
  readonly member: Member
  readonly workerId: string
  readonly rank: number
  readonly group: PromptGroup

  // What its engine is; another start may change it.
  role: EngineRole = 'aggregated'
  /** No events tell what it holds: it is believed to hold what it was sent. */
  approximate = false
  /** Its engine finds nothing again, so nothing that it was sent counts as held. */
  forgets = false
  totalBlocks = 0
  /** Longest prefill step of the engine, in tokens; the unit of thresholds. */
  stepTokens = 0

  /** False once its worker is gone: late releases do nothing. */
  live = true

  // Booked.
  prefillTokens = 0
  blocks = 0
  requests = 0
  readonly bookings = new Set<Booking>()

  // The engine's last report.
  running = 0
  waiting = 0
  usedBlocks = 0
  foreign = 0
  /** Blocks in its GPU cache, in use or not, as its events tell. */
  cachedBlocks = 0

  lastPlaced = 0

  // Since the start, for /metrics: requests placed here, the blocks of their prompts and of these the ones believed to be here.
  placed = 0
  promptBlocks = 0
  overlapBlocks = 0

  // Of the placement that is being decided; read right after it.
  excluded: Exclusion = ''
  tier = 0
  device = 0
  host = 0
  disk = 0
  predicted = 0
  shared = 0
  cost = 0

  constructor(number: number, member: Member, rank: number, group: PromptGroup) {
    this.number = number
    this.member = member
    this.workerId = member.worker.id
    this.rank = rank
    this.group = group
  }

  learn({ role, kvEvents, forgets, totalKvTokens, blockSize, maxPrefillTokens }: EngineInfo, useKvEvents: boolean): void {
    this.role = role
    this.approximate = !useKvEvents || !kvEvents
    this.forgets = forgets === true
    this.totalBlocks = Math.floor(totalKvTokens / blockSize)
    // SGLang's own default is 16,384.
    this.stepTokens = maxPrefillTokens ?? Math.min(totalKvTokens, 16_384)
  }

  /** Its engine is down: what it reported is over. */
  down(): void {
    this.running = this.waiting = this.usedBlocks = this.foreign = 0
  }

  /** Leading prompt blocks that are there or on their way there. */
  get overlap(): number {
    return this.device + this.host + this.disk
  }

  heard(change: KvChange): void {
    if (change.kind === 'cleared') this.cachedBlocks = 0
    else if (change.tier === 'device') {
      const blocks = change.blocks.length >> 1
      this.cachedBlocks = Math.max(0, this.cachedBlocks + (change.kind === 'stored' ? blocks : -blocks))
    }
  }

  report(event: Extract<EngineEvent, { kind: 'load' }>): void {
    this.running = event.running
    this.waiting = event.waiting
    this.usedBlocks = Math.ceil(event.usedTokens / this.group.blockSize)
    // Only what we did not send ourselves: bookings are newer than any report.
    this.foreign = Math.max(0, event.running + event.waiting - this.requests)
  }
}

/** A fresh member without slots. */
export function newMember(worker: Worker): Member {
  return { worker, slots: [], breaker: closedBreaker, unsubscribe() {} }
}

/** Numbers for slots: the lowest free one first, so that the index's arrays stay short. */
export class SlotNumbers {
  private readonly free: number[] = []
  /** One more than the highest number ever in use. */
  count = 0

  take(): number {
    if (this.free.length === 0) return this.count++
    let lowest = 0
    for (let i = 1; i < this.free.length; i++) if (this.free[i]! < this.free[lowest]!) lowest = i
    return this.free.splice(lowest, 1)[0]!
  }

  give(number: number): void {
    this.free.push(number)
  }
}
