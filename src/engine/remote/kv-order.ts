// Puts one worker's published messages into a gapless order: a pure machine, told messages and dumps, telling events and which rank's dump to ask for.
import type { EngineEvent, KvChange } from '../types.ts'
import type { KvDump, StatusMessage, WorkerMessage } from './kv-wire.ts'

export interface OrderEffects {
  /** In order, without gaps and doubles; after a gap `cleared` comes first. */
  tell(event: EngineEvent): void
  /** A rank's dump is needed: to be asked for until it is `dumped`. Once at a time for each rank. */
  ask(rank: number): void
}

interface Rank {
  /** Number of the next message; undefined: nothing is known yet. */
  expected: number | undefined
  asking: boolean
  /** Messages that came while a dump was on its way. */
  held: { seq: number; changes: KvChange[] }[]
  heldBlocks: number
  /** Events told so far. */
  told: number
  load: string
}

/** While a dump is on its way messages wait, of so many blocks at most; beyond that they are let go, and the dump after this one has them. */
const mostHeldBlocks = 1_000_000

export class KvOrder {
  private readonly effects: OrderEffects
  private readonly ranks: Rank[] = []
  private epoch: number | undefined
  private newest = -1

  /** `ranks`: the worker's DP size; each rank's dump is asked for by `start`. */
  constructor(ranks: number, effects: OrderEffects) {
    this.effects = effects
    for (let i = 0; i < ranks; i++) this.ranks.push({ expected: undefined, asking: false, held: [], heldBlocks: 0, told: 0, load: '' })
  }

  /** Asks for everything, and tells everything again: at the beginning, and for a listener who comes later. */
  start(): void {
    this.ranks.forEach((rank, at) => {
      rank.load = ''
      this.ask(at)
    })
    this.newest = -1
  }

  message(message: WorkerMessage): void {
    this.meet(message.epoch)
    if (message.kind === 'status') this.status(message)
    else {
      const rank = this.ranks[message.rank]
      if (rank !== undefined) this.kv(rank, message.rank, message.seq, message.changes)
    }
  }

  dumped(dump: KvDump): void {
    const rank = this.ranks[dump.rank]
    if (!rank?.asking) return
    this.meet(dump.epoch)
    rank.asking = false
    const changes: KvChange[] = [{ kind: 'cleared' }, ...dump.changes]
    rank.expected = dump.nextSeq
    const held = rank.held.sort((a, b) => a.seq - b.seq)
    letGo(rank)
    let at = 0
    for (; at < held.length && held[at]!.seq <= rank.expected; at++) {
      if (held[at]!.seq < rank.expected) continue
      changes.push(...held[at]!.changes)
      rank.expected++
    }
    this.tellKv(rank, dump.rank, changes)
    for (const { seq, changes } of held.slice(at)) this.kv(rank, dump.rank, seq, changes)
  }

  /** Another epoch is another life of the publisher: its numbers begin anew, and what it held is unknown. */
  private meet(epoch: number): void {
    if (epoch === this.epoch) return
    const first = this.epoch === undefined
    this.epoch = epoch
    this.newest = -1
    if (first) return
    this.ranks.forEach((rank, at) => {
      rank.expected = undefined
      letGo(rank)
      // A dump that is under way may be of the old life; then its epoch shows it, and this happens again.
      if (!rank.asking) this.ask(at)
    })
  }

  private kv(rank: Rank, at: number, seq: number, changes: KvChange[]): void {
    if (seq === rank.expected && !rank.asking) {
      rank.expected++
      this.tellKv(rank, at, changes)
    } else if (rank.expected === undefined || rank.asking || seq > rank.expected) {
      rank.held.push({ seq, changes })
      for (const change of changes) rank.heldBlocks += change.kind === 'cleared' ? 1 : change.blocks.length / 2
      if (rank.heldBlocks > mostHeldBlocks) letGo(rank)
      this.ask(at)
    }
  }

  private status({ order, ranks }: StatusMessage): void {
    if (order <= this.newest) return
    this.newest = order
    for (const { rank: at, nextSeq, load } of ranks) {
      const rank = this.ranks[at]
      if (rank === undefined) continue
      if (rank.expected === undefined || nextSeq > rank.expected) this.ask(at)
      if (load === undefined) continue
      const said = `${load.running} ${load.waiting} ${load.usedTokens} ${load.totalTokens}`
      if (said !== rank.load) this.effects.tell({ kind: 'load', rank: at, ...load })
      rank.load = said
    }
  }

  private ask(at: number): void {
    const rank = this.ranks[at]!
    if (rank.asking) return
    rank.asking = true
    this.effects.ask(at)
  }

  private tellKv(rank: Rank, at: number, changes: KvChange[]): void {
    this.effects.tell({ kind: 'kv', rank: at, seq: rank.told++, changes })
  }
}

function letGo(rank: Rank): void {
  rank.held = []
  rank.heldBlocks = 0
}
