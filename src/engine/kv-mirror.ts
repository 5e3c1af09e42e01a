// What one engine's cache holds, by rank: block names, parents, content hashes, tiers. A worker answers dumps from it, so that a frontend can rebuild its index.
import type { HashPairs } from '../lib/block-hash.ts'
import type { KvChange, KvTier } from './types.ts'

/** Blocks that a rank can hold. More can only be there when removals were lost: then the oldest go. */
export interface MirrorLimits {
  device: number
  /** In the tiers below, together. */
  lower: number
}

export interface KvMirror {
  /** Takes a change over. Returns what else has to be told: removals that keep it within its limits, nearly always none. */
  apply(rank: number, change: KvChange): readonly KvChange[]
  /** Changes that rebuild the rank from nothing, parents first. */
  dump(rank: number): KvChange[]
  /** Blocks held, each counted once. */
  size(rank: number): number
  clear(): void
}

interface Block {
  low: number
  high: number
  localLow: number
  localHigh: number
  /** Key of the block it follows; undefined: it starts a prompt. */
  parent: number | undefined
  parentLow: number
  parentHigh: number
  /** Bits by `tierBits`. */
  tiers: number
  /** Number of the last dump that it was part of. */
  dumped: number
}

const tierBits: Readonly<Record<KvTier, number>> = { device: 1, host: 2, disk: 4, external: 8 }
const tierNames = Object.keys(tierBits) as KvTier[]
const none: readonly KvChange[] = []
/** How many more go than must, at most, so that this is rare. */
const spare = 1024

export function kvMirror(limits: MirrorLimits): KvMirror {
  const ranks = new Map<number, RankMirror>()
  const rankOf = (rank: number) => {
    const mirror = ranks.get(rank) ?? new RankMirror(limits)
    ranks.set(rank, mirror)
    return mirror
  }
  return {
    apply: (rank, change) => rankOf(rank).apply(change),
    dump: (rank) => ranks.get(rank)?.dump() ?? [],
    size: (rank) => ranks.get(rank)?.blocks.size ?? 0,
    clear: () => ranks.clear(),
  }
}

/** 53 of a name's 64 bits: two blocks of one rank share them once in 10^4 caches of a million blocks. */
const keyOf = (low: number, high: number): number => (high & 0x1f_ffff) * 0x1_0000_0000 + low

class RankMirror {
  /** In the order in which they were stored. */
  readonly blocks = new Map<number, Block>()
  private readonly limits: MirrorLimits
  private device = 0
  private lower = 0
  private dumps = 0

  constructor(limits: MirrorLimits) {
    this.limits = limits
  }

  apply(change: KvChange): readonly KvChange[] {
    if (change.kind === 'cleared') {
      this.blocks.clear()
      this.device = 0
      this.lower = 0
      return none
    }
    const bit = tierBits[change.tier]
    if (change.kind === 'removed') {
      for (let i = 0; i < change.blocks.length; i += 2) this.remove(keyOf(change.blocks[i]!, change.blocks[i + 1]!), bit)
      return none
    }
    this.store(change.blocks, change.parent, change.local, bit)
    return this.overfull() ? this.shrink() : none
  }

  /** Blocks that follow on an unknown one are left out, with all that follow on them. */
  private store(names: HashPairs, parent: HashPairs | null, local: HashPairs, bit: number): void {
    let parentLow = parent === null ? 0 : parent[0]!
    let parentHigh = parent === null ? 0 : parent[1]!
    let parentKey = parent === null ? undefined : keyOf(parentLow, parentHigh)
    if (parentKey !== undefined && !this.blocks.has(parentKey)) return
    for (let i = 0; i < names.length; i += 2) {
      const low = names[i]!
      const high = names[i + 1]!
      const key = keyOf(low, high)
      let block = this.blocks.get(key)
      if (block === undefined) {
        block = { low, high, localLow: local[i]!, localHigh: local[i + 1]!, parent: parentKey, parentLow, parentHigh, tiers: 0, dumped: 0 }
        this.blocks.set(key, block)
      }
      this.count(block, block.tiers | bit)
      parentKey = key
      parentLow = low
      parentHigh = high
    }
  }

  private remove(key: number, bit: number): void {
    const block = this.blocks.get(key)
    if (block === undefined) return
    this.count(block, block.tiers & ~bit)
    if (block.tiers === 0) this.blocks.delete(key)
  }

  private count(block: Block, tiers: number): void {
    this.device += (tiers & 1) - (block.tiers & 1)
    this.lower += Number(tiers > 1) - Number(block.tiers > 1)
    block.tiers = tiers
  }

  private overfull(): boolean {
    return this.device > this.limits.device || this.lower > this.limits.lower
  }

  /** Forgets the oldest blocks so that the limits hold again. */
  private shrink(): KvChange[] {
    return [...this.drop(1, this.device - this.limits.device), ...this.drop(14, this.lower - this.limits.lower)]
  }

  /** Takes the oldest `over` blocks and some more out of the tiers `bits`. */
  private drop(bits: number, over: number): KvChange[] {
    if (over <= 0) return []
    let left = over + Math.min(spare, this.blocks.size >> 3)
    const names = new Map<KvTier, number[]>()
    for (const [key, block] of this.blocks) {
      if (left === 0) break
      if ((block.tiers & bits) === 0) continue
      left--
      for (const tier of tierNames) {
        if ((block.tiers & bits & tierBits[tier]) === 0) continue
        const list = names.get(tier) ?? []
        list.push(block.low, block.high)
        names.set(tier, list)
      }
      this.remove(key, bits)
    }
    return [...names].map(([tier, list]) => ({ kind: 'removed', blocks: Uint32Array.from(list), tier }))
  }

  dump(): KvChange[] {
    const changes: KvChange[] = []
    const dump = ++this.dumps
    let run: Block[] = []
    const visit = (block: Block) => {
      const last = run.at(-1)
      if (last !== undefined && (block.parent !== keyOf(last.low, last.high) || block.tiers !== last.tiers)) {
        tell(run, changes)
        run = []
      }
      run.push(block)
      block.dumped = dump
    }
    for (const block of this.blocks.values()) if (block.dumped !== dump) this.upFrom(block, dump, visit)
    if (run.length > 0) tell(run, changes)
    return changes
  }

  /** Visits a block behind those above it that were not dumped yet: a parent that left and came back stands behind its children. */
  private upFrom(block: Block, dump: number, visit: (block: Block) => void): void {
    const parent = block.parent === undefined ? undefined : this.blocks.get(block.parent)
    if (parent === undefined || parent.dumped === dump) {
      visit(block)
      return
    }
    const path = [block]
    for (let up: Block | undefined = parent; up !== undefined && up.dumped !== dump; ) {
      path.push(up)
      up = up.parent === undefined ? undefined : this.blocks.get(up.parent)
    }
    for (let i = path.length - 1; i >= 0; i--) visit(path[i]!)
  }
}

/** One chain of blocks in the same tiers, as one change for each of these. */
function tell(run: readonly Block[], changes: KvChange[]): void {
  const first = run[0]!
  const blocks = new Uint32Array(2 * run.length)
  const local = new Uint32Array(2 * run.length)
  for (let i = 0; i < run.length; i++) {
    const block = run[i]!
    blocks[2 * i] = block.low
    blocks[2 * i + 1] = block.high
    local[2 * i] = block.localLow
    local[2 * i + 1] = block.localHigh
  }
  const parent = first.parent === undefined ? null : Uint32Array.of(first.parentLow, first.parentHigh)
  for (const tier of tierNames) if (first.tiers & tierBits[tier]) changes.push({ kind: 'stored', blocks, parent, local, tier })
}
