// The index that serves: tables of typed arrays, about 31 bytes a block while there are at most 32 slots. naive.ts says what it has to answer.
// SGLang names blocks by content, so all slots share one table of names; a slot's names that do not fit in are kept beside it (aliases.ts).
import type { KvChange, KvStored, KvTier } from '../../engine/types.ts'
import { chainView, type HashPairs } from '../../lib/block-hash.ts'
import { addAlias, dropAlias, makeAliases, nameOf } from './aliases.ts'
import type { KvIndex } from './index.ts'
import { matcher } from './match.ts'
import { hashWord, nameWord, nodeWords, pageBits, pageMask } from './nodes.ts'
import { maxSlots } from './places.ts'
import { Store, type TierNumber } from './store.ts'

const tierNumbers: Record<KvTier, TierNumber> = { device: 0, host: 1, disk: 2, external: 2 }
const tierNames: readonly KvTier[] = ['device', 'host', 'disk']

export function fastIndex(): KvIndex {
  const store = new Store()
  const { nodes, byHash, byName } = store
  const match = matcher(store)
  let orphans = 0

  /** The node that a slot knows by this name, or -1. `shared`: what `byName` has for it. */
  function lookup(slot: number, low: number, high: number, shared: number): number {
    const aliases = store.aliases[slot]
    if (aliases !== undefined) {
      const alias = aliases.byName.get(nameOf(low, high))
      if (alias !== undefined) return alias.node
      if (aliases.byNode.has(shared)) return -1
    }
    return shared >= 0 && store.holdsAny(shared, slot) ? shared : -1
  }

  /** The slot has the node in this tier under a name that it did not know; `shared` is true when the name is the node's own in `byName`. */
  function learn(slot: number, node: number, low: number, high: number, shared: boolean, tier: TierNumber): void {
    let aliases = store.aliases[slot]
    const known = store.holdsAny(node, slot)
    if (known || !shared) {
      if (aliases === undefined) {
        aliases = makeAliases()
        store.aliases[slot] = aliases
      }
      // Known by its shared name until now, which from here on is one of several.
      if (known && !aliases.byNode.has(node))
        addAlias(aliases, nameOf(nodes.word(node, nameWord), nodes.word(node, nameWord + 1)), node, tiersOf(node, slot))
      addAlias(aliases, nameOf(low, high), node, 1 << tier)
    }
    store.hold(node, slot, tier)
  }

  function tiersOf(node: number, slot: number): number {
    let tiers = 0
    for (const tier of [0, 1, 2] as const) if (store.holds(node, slot, tier)) tiers |= 1 << tier
    return tiers
  }

  /** What `byName` has for a name; `guess` is the number most likely. */
  function findName(low: number, high: number, guess: number): number {
    const words = nodes.pages[guess >>> pageBits]
    if (words !== undefined && store.nameless === 0) {
      const at = (guess & pageMask) * nodeWords + nameWord
      if (words[at] === low && words[at + 1] === high && store.isLive(guess)) return guess
    }
    return byName.find(low, high)
  }

  function stored(slot: number, { blocks, parent, local, tier: name }: KvStored): void {
    const tier = tierNumbers[name]
    const count = Math.min(blocks.length, local.length) >> 1
    let before = -1
    if (parent !== null) {
      before = lookup(slot, parent[0]! | 0, parent[1]! | 0, byName.find(parent[0]! | 0, parent[1]! | 0))
      if (before < 0) {
        orphans += blocks.length >> 1
        return
      }
    }
    let chain: HashPairs | undefined
    let from = 0
    let previous = before
    for (let i = 0; i < count; i++) {
      const low = blocks[2 * i]! | 0
      const high = blocks[2 * i + 1]! | 0
      const shared = findName(low, high, previous + 1)
      let node = lookup(slot, low, high, shared)
      if (node >= 0) {
        if (store.aliases[slot]?.byName.has(nameOf(low, high))) addAlias(store.aliases[slot]!, nameOf(low, high), node, 1 << tier)
        store.hold(node, slot, tier)
      }
      if (chain === undefined) {
        chain = chainView(local.subarray(2 * i, 2 * count), previous < 0 ? undefined : hashOf(previous))
        from = i
      }
      const hashLow = chain[2 * (i - from)]! | 0
      const hashHigh = chain[2 * (i - from) + 1]! | 0
      if (node < 0) {
        if (shared >= 0 && nodes.word(shared, hashWord) === hashLow && nodes.word(shared, hashWord + 1) === hashHigh) node = shared
        else node = byHash.find(hashLow, hashHigh)
        const made = node < 0
        if (made) node = store.make(hashLow, hashHigh, low, high, shared >= 0)
        if (node < 0) {
          orphans += count - i
          return
        }
        learn(slot, node, low, high, node === shared || (made && shared < 0), tier)
      }
      // The slot knew the name for other content: what follows, follows on that.
      else if (nodes.word(node, hashWord) !== hashLow || nodes.word(node, hashWord + 1) !== hashHigh) chain = undefined
      previous = node
    }
  }

  function hashOf(node: number): HashPairs {
    return Uint32Array.of(nodes.word(node, hashWord), nodes.word(node, hashWord + 1))
  }

  function removed(slot: number, blocks: HashPairs, tier: TierNumber): void {
    const aliases = store.aliases[slot]
    // Evicted from the end of a chain: the next one is most likely the node before.
    let previous = 0
    for (let i = 0; i < blocks.length; i += 2) {
      const low = blocks[i]! | 0
      const high = blocks[i + 1]! | 0
      const node = lookup(slot, low, high, findName(low, high, previous - 1))
      previous = node
      if (node < 0) continue
      const name = aliases === undefined ? 0n : nameOf(low, high)
      const alias = aliases?.byName.get(name)
      if (alias === undefined || dropAlias(aliases!, name, alias, 1 << tier)) store.release(node, slot, tier)
    }
    store.tidy()
  }

  function clear(slot: number): void {
    store.clear(slot)
    store.tidy()
  }

  return {
    apply(slot: number, change: KvChange): void {
      if (slot > maxSlots) throw new RangeError(`slot ${slot}: an index holds ${maxSlots + 1} slots`)
      if (change.kind === 'stored') stored(slot, change)
      else if (change.kind === 'removed') removed(slot, change.blocks, tierNumbers[change.tier])
      else clear(slot)
    },
    clear,
    match,
    dump: (slot) => dump(store, slot),
    get entries() {
      return store.held.reduce((sum, count) => sum + count, 0)
    },
    get orphans() {
      return orphans
    },
    get bytes() {
      return store.bytes
    },
  }
}

/** Each block as the start of a prompt that has the block's chained hash as its content: that puts it in its place anywhere, without its parents. */
function dump(store: Store, slot: number): KvChange[] {
  const { nodes } = store
  const changes: KvChange[] = []
  if (!store.held[slot]) return changes
  const tell = (low: number, high: number, node: number, tiers: number) => {
    const local = Uint32Array.of(nodes.word(node, hashWord), nodes.word(node, hashWord + 1))
    for (const tier of [0, 1, 2] as const)
      if (tiers & (1 << tier))
        changes.push({ kind: 'stored', blocks: Uint32Array.of(low, high), parent: null, local, tier: tierNames[tier]! })
  }
  const aliases = store.aliases[slot]
  for (let node = 0; node < nodes.capacity; node++) {
    let tiers = 0
    for (const tier of [0, 1, 2] as const) if (store.holds(node, slot, tier)) tiers |= 1 << tier
    if (tiers !== 0 && !aliases?.byNode.has(node)) tell(nodes.word(node, nameWord), nodes.word(node, nameWord + 1), node, tiers)
  }
  for (const [name, { node, tiers }] of aliases?.byName ?? []) tell(Number(name & 0xffff_ffffn), Number(name >> 32n), node, tiers)
  return changes
}
