// Open addressing from a 64-bit key inside the nodes (chained hash or name) to the node. 1,024 shards, each rebuilt by itself: no rebuild takes long.
import { type Nodes, nodeWords, pageBits, pageMask } from './nodes.ts'

const shardBits = 10
const shards = 1 << shardBits
/** An entry is 7 bits of the key's mix and 25 bits of node + 1; 0 is empty. */
const nodeBits = 25
const tagMask = 2 ** (32 - nodeBits) - 1
const nodeMask = 2 ** nodeBits - 1
/** Was in use: a search goes on past it. */
const gone = nodeMask
const homeBits = 15
const homeMask = 2 ** homeBits - 1
/** Rebuilt to 58 % when entries and leftovers exceed 87 %: tags make long searches cheap, and a rebuild reads every node. */
const fullest = 0.87
const rebuilt = 0.58
/** Small shards take larger steps: their memory is no matter, their many rebuilds would be. */
const small = 200
const rebuiltSmall = 0.4
const emptiest = 0.3
const smallest = 16

/** Bits 22 to 31 choose the shard, 15 to 21 are the tag, the rest the place. Names may be any numbers, so they are mixed well. */
function mix(low: number, high: number): number {
  let x = Math.imul(low ^ (low >>> 15), 0x2c1b_3c6d) ^ Math.imul(high ^ (high >>> 13), 0x297a_2d39)
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
  return x ^ (x >>> 13)
}

export class Table {
  bytes = 0
  private readonly nodes: Nodes
  private readonly keyWord: number
  private readonly shards: Int32Array[] = []
  private readonly live = new Int32Array(shards)
  /** Entries that are not empty: live or gone. */
  private readonly used = new Int32Array(shards)

  /** `keyWord`: where in a node its key's two words stand. */
  constructor(nodes: Nodes, keyWord: number) {
    this.nodes = nodes
    this.keyWord = keyWord
    // Different from the start, so that the shards are never all rebuilt at once.
    for (let i = 0; i < shards; i++) this.shards.push(this.makeEntries(smallest + ((i * smallest) >> shardBits)))
  }

  /** The node with this key, or -1. */
  find(low: number, high: number): number {
    const x = mix(low, high)
    const entries = this.shards[x >>> (32 - shardBits)]!
    const tag = (x >>> homeBits) & tagMask
    const { pages } = this.nodes
    let at = home(x, entries.length)
    for (;;) {
      const entry = entries[at]!
      if (entry === 0) return -1
      if (entry >>> nodeBits === tag && entry !== gone) {
        const node = (entry & nodeMask) - 1
        const words = pages[node >>> pageBits]!
        const key = (node & pageMask) * nodeWords + this.keyWord
        if (words[key] === low && words[key + 1] === high) return node
      }
      if (++at === entries.length) at = 0
    }
  }

  /** Adds a node whose key stands in it already; the key must not be in the table. */
  add(node: number): void {
    const x = this.mixOf(node)
    const shard = x >>> (32 - shardBits)
    if (this.used[shard]! + 1 > this.shards[shard]!.length * fullest) this.rebuild(shard)
    const entries = this.shards[shard]!
    let at = home(x, entries.length)
    while (entries[at] !== 0 && entries[at] !== gone) if (++at === entries.length) at = 0
    if (entries[at] === 0) this.used[shard]!++
    entries[at] = entryOf(x, node)
    this.live[shard]!++
  }

  /** Takes a node out; false when it is not in. Its key must still stand in it. */
  remove(node: number): boolean {
    const x = this.mixOf(node)
    const shard = x >>> (32 - shardBits)
    const entries = this.shards[shard]!
    let at = this.placeOf(entries, x, node)
    if (at < 0) return false
    entries[at] = gone
    this.live[shard]!--
    // Leftovers before an empty entry are of no use to any search.
    if (entries[at + 1 === entries.length ? 0 : at + 1] === 0)
      while (entries[at] === gone) {
        entries[at] = 0
        this.used[shard]!--
        at = at === 0 ? entries.length - 1 : at - 1
      }
    if (entries.length > 4 * smallest && this.live[shard]! < entries.length * emptiest) this.rebuild(shard)
    return true
  }

  /** The node's key stands in `to` now. */
  move(from: number, to: number): void {
    const x = this.mixOf(to)
    const entries = this.shards[x >>> (32 - shardBits)]!
    const at = this.placeOf(entries, x, from)
    if (at >= 0) entries[at] = entryOf(x, to)
  }

  private placeOf(entries: Int32Array, x: number, node: number): number {
    const wanted = entryOf(x, node)
    for (let at = home(x, entries.length); entries[at] !== 0; ) {
      if (entries[at] === wanted) return at
      if (++at === entries.length) at = 0
    }
    return -1
  }

  private mixOf(node: number): number {
    const words = this.nodes.pages[node >>> pageBits]!
    const key = (node & pageMask) * nodeWords + this.keyWord
    return mix(words[key]!, words[key + 1]!)
  }

  private rebuild(shard: number): void {
    const old = this.shards[shard]!
    const live = this.live[shard]!
    // In between, only leftovers are in the way: the same size will do.
    const fits = live <= old.length * rebuilt && live >= old.length * emptiest
    const length = fits ? old.length : Math.max(smallest, Math.ceil(live / (live < small ? rebuiltSmall : rebuilt)))
    this.bytes -= old.byteLength
    const entries = this.makeEntries(length)
    for (let i = 0; i < old.length; i++) {
      const entry = old[i]!
      if (entry === 0 || entry === gone) continue
      let at = home(this.mixOf((entry & nodeMask) - 1), length)
      while (entries[at] !== 0) if (++at === length) at = 0
      entries[at] = entry
    }
    this.shards[shard] = entries
    this.used[shard] = live
  }

  private makeEntries(length: number): Int32Array {
    this.bytes += 4 * length
    return new Int32Array(length)
  }
}

/** Where a search begins: in proportion, so that any length up to 2^16 will do. */
function home(x: number, length: number): number {
  return Math.imul(x & homeMask, length) >>> homeBits
}

function entryOf(x: number, node: number): number {
  return (((x >>> homeBits) & tagMask) << nodeBits) | (node + 1) | 0
}
