// The mock's KV memory: a fixed number of blocks, a prefix cache keyed by chained hashes, eviction of the longest unused first.
// A block's key depends on every id before it. Children are never older than their parent in the queue, so a prefix is evicted from its end.
import type { HashPairs } from '../../../lib/block-hash.ts'
import type { KvChange } from '../../types.ts'

const none = -1

/** A change while it grows; numbers are keys, except in `local`, which holds pairs. */
type Pending =
  | { kind: 'stored'; parent: number; keys: number[]; local: number[] }
  | { kind: 'removed'; keys: number[] }
  | { kind: 'cleared' }

/** The key chain of one sequence: feed it ids, read a key at each block's end. Keys are whole numbers below 2^53, never 0. */
export class KeyChain {
  private a: number
  private b: number

  constructor(namespace: number) {
    this.a = namespace ^ 0x6a09e667
    this.b = Math.imul(namespace, 0x9e3779b1) ^ 0x3c6ef372
  }

  add(ids: Int32Array): void {
    let { a, b } = this
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      a = Math.imul(a ^ id, 0x9e3779b1)
      a ^= a >>> 16
      b = Math.imul(b + id, 0x85ebca77) ^ (b >>> 13)
    }
    this.a = a
    this.b = b
  }

  key(): number {
    const high = Math.imul(this.a ^ (this.b >>> 9), 0xc2b2ae35) >>> 0
    return (high >>> 11) * 0x1_0000_0000 + (Math.imul(this.b ^ (this.a << 7), 0x27d4eb2f) >>> 0) || 1
  }
}

export class KvCache {
  readonly capacity: number
  readonly blockSize: number
  /** Set when someone listens: changes are collected in `changes` until `takeChanges`. */
  recording = false
  private changes: Pending[] = []
  /** 1: the block's key was told as stored, so its end is told too. */
  private readonly told: Uint8Array
  private readonly keys: Float64Array
  private readonly refs: Int32Array
  private readonly newer: Int32Array
  private readonly older: Int32Array
  private readonly free: Int32Array
  private freeCount: number
  private readonly byKey = new Map<number, number>()
  /** Ends of the queue of cached blocks that nobody holds. */
  private oldest = none
  private newest = none
  private unheld = 0

  constructor(capacity: number, blockSize: number) {
    this.capacity = capacity
    this.blockSize = blockSize
    this.keys = new Float64Array(capacity)
    this.refs = new Int32Array(capacity)
    this.told = new Uint8Array(capacity)
    this.newer = new Int32Array(capacity).fill(none)
    this.older = new Int32Array(capacity).fill(none)
    this.free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i)
    this.freeCount = capacity
  }

  /** Blocks that can be had now, by eviction if need be. */
  available(): number {
    return this.freeCount + this.unheld
  }

  /** Blocks that some sequence holds. */
  held(): number {
    return this.capacity - this.available()
  }

  /** Blocks that carry a key, held or not. */
  cached(): number {
    return this.byKey.size
  }

  /** How many of these keys are cached, counted from the first; `unheld` of them are counted in `available` now. */
  match(keys: ArrayLike<number>, count: number): { blocks: number; unheld: number } {
    let unheld = 0
    for (let i = 0; i < count; i++) {
      const block = this.byKey.get(keys[i]!)
      if (block === undefined) return { blocks: i, unheld }
      if (this.refs[block] === 0) unheld++
    }
    return { blocks: count, unheld }
  }

  /** Holds the cached block of this key, or returns -1. */
  hold(key: number): number {
    const block = this.byKey.get(key)
    if (block === undefined) return none
    this.take(block)
    return block
  }

  /** A held, empty block; evicts the oldest unheld one when none is free. -1 when every block is held. */
  allocate(): number {
    if (this.freeCount === 0) {
      if (this.oldest === none) return none
      this.evict(this.oldest)
    }
    const block = this.free[--this.freeCount]!
    this.refs[block] = 1
    return block
  }

  /**
   * Gives a held block its key (`parentKey` 0: it is the first). When another block has that key already, this one is freed and the other held instead.
   * Returns the block that is held afterwards; a new one is told as stored, by the pair `at` in `local`, unless there is none.
   */
  publish(block: number, key: number, parentKey: number, local: HashPairs | undefined, at: number): number {
    const twin = this.byKey.get(key)
    if (twin !== undefined) {
      if (twin === block) return block
      this.take(twin)
      this.release(block)
      return twin
    }
    this.keys[block] = key
    this.byKey.set(key, block)
    if (this.recording && local !== undefined) {
      this.told[block] = 1
      this.recordStored(key, parentKey, local[2 * at]!, local[2 * at + 1]!)
    }
    return block
  }

  /** Lets go of one hold. Release a sequence's blocks from its last to its first. */
  release(block: number): void {
    if (--this.refs[block]! > 0) return
    if (this.keys[block] === 0) this.free[this.freeCount++] = block
    else this.append(block)
  }

  /** Forgets every cached block that nobody holds; the held ones stay but lose their keys. */
  clear(): void {
    while (this.oldest !== none) this.drop(this.oldest)
    for (const block of this.byKey.values()) this.keys[block] = 0
    this.byKey.clear()
    this.told.fill(0)
    if (this.recording) this.changes = [{ kind: 'cleared' }]
  }

  /** What changed since the last call; undefined when nothing did. */
  takeChanges(): KvChange[] | undefined {
    if (this.changes.length === 0) return undefined
    const changes = this.changes.map(finished)
    this.changes = []
    return changes
  }

  private take(block: number): void {
    if (this.refs[block]!++ > 0) return
    this.unlink(block)
  }

  private evict(block: number): void {
    const key = this.keys[block]!
    const told = this.told[block] === 1
    this.drop(block)
    if (!this.recording || !told) return
    const last = this.changes.at(-1)
    if (last?.kind === 'removed') last.keys.push(key)
    else this.changes.push({ kind: 'removed', keys: [key] })
  }

  private drop(block: number): void {
    this.unlink(block)
    this.byKey.delete(this.keys[block]!)
    this.keys[block] = 0
    this.told[block] = 0
    this.free[this.freeCount++] = block
  }

  private append(block: number): void {
    this.older[block] = this.newest
    this.newer[block] = none
    if (this.newest === none) this.oldest = block
    else this.newer[this.newest] = block
    this.newest = block
    this.unheld++
  }

  private unlink(block: number): void {
    const older = this.older[block]!
    const newer = this.newer[block]!
    if (older === none) this.oldest = newer
    else this.newer[older] = newer
    if (newer === none) this.newest = older
    else this.older[newer] = older
    this.unheld--
  }

  /** A block that follows the last stored one joins its event, as SGLang's do. */
  private recordStored(key: number, parentKey: number, low: number, high: number): void {
    const last = this.changes.at(-1)
    if (last?.kind === 'stored' && last.keys.at(-1) === parentKey) {
      last.keys.push(key)
      last.local.push(low, high)
    } else this.changes.push({ kind: 'stored', parent: parentKey, keys: [key], local: [low, high] })
  }
}

function finished(change: Pending): KvChange {
  if (change.kind === 'cleared') return change
  const blocks = pairs(change.keys)
  if (change.kind === 'removed') return { kind: 'removed', blocks, tier: 'device' }
  const parent = change.parent === 0 ? null : pairs([change.parent])
  return { kind: 'stored', blocks, parent, local: Uint32Array.from(change.local), tier: 'device' }
}

/** Keys as the block names that events carry. */
function pairs(keys: readonly number[]): HashPairs {
  const out = new Uint32Array(2 * keys.length)
  for (let i = 0; i < keys.length; i++) {
    out[2 * i] = keys[i]! % 0x1_0000_0000
    out[2 * i + 1] = Math.floor(keys[i]! / 0x1_0000_0000)
  }
  return out
}
