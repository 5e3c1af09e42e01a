// The index in plain maps and sets: what fast.ts must answer, only slower and larger. Tests compare the two.
import type { KvChange, KvTier } from '../../engine/types.ts'
import { fromPairs as hashes, plainChainHashes, toPairs } from '../../lib/block-hash/plain.ts'
import type { KvIndex, Matches } from './index.ts'

type Tier = keyof Matches
const tierOf: Record<KvTier, Tier> = { device: 'device', host: 'host', disk: 'disk', external: 'disk' }

/** A block of one slot: its chained hash and the tiers it lies in. */
interface Block {
  chained: bigint
  tiers: Set<Tier>
}

export function naiveIndex(): KvIndex {
  /** By slot: blocks by the engine's name for them. */
  const slots = new Map<number, Map<bigint, Block>>()
  let orphans = 0

  const blocksOf = (slot: number): Map<bigint, Block> => {
    const known = slots.get(slot)
    if (known !== undefined) return known
    const blocks = new Map<bigint, Block>()
    slots.set(slot, blocks)
    return blocks
  }

  function apply(slot: number, change: KvChange): void {
    if (change.kind === 'cleared') {
      clear(slot)
      return
    }
    const blocks = blocksOf(slot)
    const tier = tierOf[change.tier]
    const names = hashes(change.blocks)
    if (change.kind === 'removed') {
      for (const name of names) {
        const block = blocks.get(name)
        block?.tiers.delete(tier)
        if (block?.tiers.size === 0) blocks.delete(name)
      }
      return
    }
    const parent = change.parent === null ? undefined : blocks.get(hashes(change.parent)[0]!)
    if (change.parent !== null && parent === undefined) {
      orphans += names.length
      return
    }
    let before = parent?.chained
    const local = hashes(change.local)
    names.forEach((name, i) => {
      if (i >= local.length) return
      const known = blocks.get(name)
      const block = known ?? { chained: plainChainHashes([local[i]!], before)[0]!, tiers: new Set() }
      block.tiers.add(tier)
      blocks.set(name, block)
      before = block.chained
    })
  }

  function clear(slot: number): void {
    slots.delete(slot)
  }

  /** The chained hashes that a slot holds in a tier. */
  const held = (slot: number, tier: Tier): Set<bigint> =>
    new Set([...(slots.get(slot)?.values() ?? [])].filter((block) => block.tiers.has(tier)).map((block) => block.chained))

  return {
    apply,
    clear,
    match(chain, count) {
      const matches = { device: new Uint32Array(count), host: new Uint32Array(count), disk: new Uint32Array(count) }
      const wanted = hashes(chain)
      for (let slot = 0; slot < count; slot++) {
        let at = 0
        for (const tier of ['device', 'host', 'disk'] as const) {
          const has = held(slot, tier)
          const from = at
          while (at < wanted.length && has.has(wanted[at]!)) at++
          matches[tier][slot] = at - from
        }
      }
      return matches
    },
    dump: (slot) =>
      [...(slots.get(slot) ?? [])].flatMap(([name, block]) =>
        [...block.tiers].map((tier) => ({
          kind: 'stored' as const,
          blocks: toPairs([name]),
          parent: null,
          local: toPairs([block.chained]),
          tier,
        })),
      ),
    get entries() {
      return [...slots.values()].reduce((sum, blocks) => sum + new Set([...blocks.values()].map((block) => block.chained)).size, 0)
    },
    get orphans() {
      return orphans
    },
    /** A guess: what a map entry with its BigInts and set takes. */
    get bytes() {
      return [...slots.values()].reduce((sum, blocks) => sum + 300 * blocks.size, 0)
    },
  }
}
