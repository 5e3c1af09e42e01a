// How many leading blocks of a prompt each slot holds: one walk along the chain, which ends when no slot is left.
import type { HashPairs } from '../../lib/block-hash.ts'
import type { Matches } from './index.ts'
import { deviceWord, nodeWords, pageBits, pageMask } from './nodes.ts'
import { slotBits, slotMask } from './places.ts'
import type { Store, TierNumber } from './store.ts'

const none = new Int32Array(0)

export function matcher(store: Store): (chain: HashPairs, slots: number) => Matches {
  const { nodes, byHash, places } = store
  const { pages } = nodes
  let matches = makeMatches(0)
  let mask = new Int32Array(0)

  /** The node of a block; the one before it was `node`, and chains mostly lie in order. */
  function next(chain: HashPairs, block: number, node: number): number {
    const low = chain[2 * block]! | 0
    const high = chain[2 * block + 1]! | 0
    const guess = node + 1
    if ((guess & pageMask) !== 0) {
      const words = nodes.pages[guess >>> pageBits]!
      const at = (guess & pageMask) * nodeWords
      if (words[at] === low && words[at + 1] === high && store.isLive(guess)) return guess
    }
    return byHash.find(low, high)
  }

  /** Up to 32 slots: those that have everything so far are a mask. */
  function matchNarrow(chain: HashPairs, blocks: number, slots: number, depth: Uint32Array): void {
    let active = slots >= 32 ? -1 : (1 << slots) - 1
    let words: Int32Array = none
    let at = 0
    let block = 0
    for (; block < blocks; block++) {
      const low = chain[2 * block]! | 0
      const high = chain[2 * block + 1]! | 0
      at += nodeWords
      // Chains mostly lie in order; past the page's end there is nothing. A block that is not on the device is not looked for there.
      if (words[at] !== low || words[at + 1] !== high || words[at + deviceWord] === 0) {
        const node = byHash.find(low, high)
        if (node < 0) break
        words = pages[node >>> pageBits]!
        at = (node & pageMask) * nodeWords
      }
      const left = active & words[at + deviceWord]!
      if (left === active) continue
      for (let out = active ^ left; out !== 0; out &= out - 1) depth[31 - Math.clz32(out & -out)] = block
      active = left
      if (active === 0) return
    }
    for (; active !== 0; active &= active - 1) depth[31 - Math.clz32(active & -active)] = block
  }

  /** More slots: a bit mask while blocks are on many of them; from then on a slot is in the running while its depth is the block's number. */
  function matchWide(chain: HashPairs, blocks: number, slots: number, depth: Uint32Array): void {
    startMask(slots)
    let words: Int32Array = none
    let at = 0
    let masked = true
    /** Blocks from `since` on have lain on these two slots at most: nothing to do until that changes. 0: not so. */
    let pair = 0
    let since = 0
    let block = 0
    for (; block < blocks; block++) {
      const low = chain[2 * block]! | 0
      const high = chain[2 * block + 1]! | 0
      at += nodeWords
      if (words[at] !== low || words[at + 1] !== high || words[at + deviceWord] === 0) {
        const node = byHash.find(low, high)
        if (node < 0) break
        words = pages[node >>> pageBits]!
        at = (node & pageMask) * nodeWords
      }
      const word = words[at + deviceWord]!
      if (word === pair && word !== 0) continue
      if (masked) {
        if (places.isBits(word)) {
          if (!places.and(word, mask, depth, block)) return
          continue
        }
        masked = false
        if (block > 0) settleMask(depth, block)
      }
      advancePair(pair, slots, depth, since, block)
      pair = 0
      if (word < 0) {
        if (places.advance(word, depth, block) === 0) return
        continue
      }
      if (!advancePair(word, slots, depth, block, block + 1)) return
      pair = word
      since = block + 1
    }
    if (masked && block > 0) settleMask(depth, block)
    advancePair(pair, slots, depth, since, block)
  }

  /** Of the two slots of a word, those that stand at `from` stand at `to` now; returns whether there are any. */
  function advancePair(word: number, slots: number, depth: Uint32Array, from: number, to: number): boolean {
    const first = (word & slotMask) - 1
    const second = (word >>> slotBits) - 1
    let any = false
    if (first >= 0 && first < slots && depth[first] === from) {
      depth[first] = to
      any = true
    }
    if (second >= 0 && second < slots && depth[second] === from) {
      depth[second] = to
      any = true
    }
    return any
  }

  /** All slots that are asked for, as far as bit sets go. */
  function startMask(slots: number): void {
    const words = Math.min(places.maskWords, (slots + 31) >>> 5)
    if (mask.length !== words) mask = new Int32Array(words)
    mask.fill(-1)
    if ((slots & 31) !== 0 && words === (slots + 31) >>> 5) mask[words - 1] = (1 << (slots & 31)) - 1
  }

  /** Those that are still in the mask have `block` blocks. */
  function settleMask(depth: Uint32Array, block: number): void {
    for (let i = 0; i < mask.length; i++)
      for (let left = mask[i]!; left !== 0; left &= left - 1) depth[32 * i + 31 - Math.clz32(left & -left)] = block
  }

  /** Where the tiers above end, this one goes on. */
  function matchLower(
    chain: HashPairs,
    blocks: number,
    slots: number,
    tier: TierNumber,
    from: readonly Uint32Array[],
    depth: Uint32Array,
  ): void {
    for (let slot = 0; slot < slots; slot++) {
      if (!store.held[slot]) continue
      let block = 0
      for (const above of from) block += above[slot]!
      const start = block
      for (let node = -1; block < blocks; block++) {
        node = next(chain, block, node)
        if (node < 0 || !store.holds(node, slot, tier)) break
      }
      depth[slot] = block - start
    }
  }

  return (chain, slots) => {
    const blocks = chain.length >> 1
    if (matches.device.length !== slots) matches = makeMatches(slots)
    const { device, host, disk } = matches
    device.fill(0)
    host.fill(0)
    disk.fill(0)
    if (store.inTier[0] > 0) (places.wide ? matchWide : matchNarrow)(chain, blocks, slots, device)
    if (store.inTier[1] > 0) matchLower(chain, blocks, slots, 1, [device], host)
    if (store.inTier[2] > 0) matchLower(chain, blocks, slots, 2, [device, host], disk)
    return matches
  }
}

function makeMatches(slots: number): Matches {
  return { device: new Uint32Array(slots), host: new Uint32Array(slots), disk: new Uint32Array(slots) }
}
