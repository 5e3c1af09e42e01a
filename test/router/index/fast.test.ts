import { describe, expect, test } from 'bun:test'
import type { KvChange, KvTier } from '../../../src/engine/types.ts'
import { chainHashes } from '../../../src/lib/block-hash.ts'
import { fastIndex } from '../../../src/router/index/fast.ts'
import { naiveIndex } from '../../../src/router/index/naive.ts'
import { random } from '../../helpers/random.ts'
import { indexSuite } from '../../suites/index.suite.ts'

indexSuite(fastIndex)

/**
 * A stream of changes that no engine would send but any index has to bear: few contents, so that prompts share prefixes; names by content, by slot, or
 * so few that they clash; parents that may be unknown; tiers; evictions anywhere; slots cleared.
 */
function randomChanges(seed: number, slots: number) {
  const next = random(seed)
  const tiers: KvTier[] = next(2) === 0 ? ['device'] : ['device', 'device', 'device', 'host', 'disk', 'external']
  const contents = 2 + next(3)
  const prompt = () => Array.from({ length: 1 + next(10) }, () => 1 + next(contents))
  const nameOf = (path: number[], slot: number): [number, number] => {
    const scheme = slot % 5
    const text = path.join()
    if (scheme === 3) return [Bun.hash.crc32(`${slot}:${text}`), 3]
    if (scheme === 4) return [1 + next(40), 0]
    return [Bun.hash.crc32(text), 0x8000_0000]
  }
  const pairs = (names: [number, number][]) => Uint32Array.from(names.flat())
  return {
    chain: () => chainHashes(pairs(prompt().map((letter) => [letter, 9]))),
    change(): [slot: number, change: KvChange] {
      const slot = next(4) === 0 ? next(slots) : next(Math.min(slots, 6))
      const path = prompt()
      const tier = tiers[next(tiers.length)]!
      const from = next(path.length)
      const names = path.map((_, i) => nameOf(path.slice(0, i + 1), slot))
      const kind = next(100)
      if (kind === 0) return [slot, { kind: 'cleared' }]
      if (kind < 35) return [slot, { kind: 'removed', blocks: pairs(names.slice(from).reverse()), tier }]
      const known = next(3) === 0 ? from : 0
      const local = pairs(path.slice(known).map((letter) => [letter, 9]))
      return [
        slot,
        { kind: 'stored', blocks: pairs(names.slice(known)), parent: known === 0 ? null : pairs([names[known - 1]!]), local, tier },
      ]
    },
  }
}

test.each([1, 3, 31, 32, 33, 40, 120, 512, 530])('it is the naive one on random changes, %i slots', (slots) => {
  for (let seed = 0; seed < (slots > 40 ? 2 : 6); seed++) {
    const stream = randomChanges(seed * 1000 + slots, slots)
    const [fast, naive] = [fastIndex(), naiveIndex()]
    for (let i = 0; i < 400; i++) {
      const [slot, change] = stream.change()
      fast.apply(slot, change)
      naive.apply(slot, change)
      if (i % 5 !== 0) continue
      const chain = stream.chain()
      expect(fast.match(chain, slots)).toEqual(naive.match(chain, slots))
      expect(fast.orphans).toBe(naive.orphans)
    }
    expect(fast.entries).toBe(naive.entries)
    for (let slot = 0; slot < slots; slot++) fast.clear(slot)
    expect(fast.entries).toBe(0)
  }
})

describe('memory', () => {
  const blocks = 100_000
  /** A prompt of 500 blocks of its own. */
  const prompt = (number: number) => chainHashes(Uint32Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? number * 500 + i / 2 : 1)))
  const change = (kind: 'stored' | 'removed', names: Uint32Array): KvChange =>
    kind === 'removed'
      ? { kind, blocks: names, tier: 'device' }
      : { kind, blocks: names, parent: null, local: Uint32Array.from(names, (word, i) => (i % 2 === 0 ? word : 1)), tier: 'device' }
  const chainsOf = (names: Uint32Array) => chainHashes(Uint32Array.from(names, (word, i) => (i % 2 === 0 ? word : 1)))

  test.each([
    [8, 40],
    [512, 64],
  ])('bytes a block, each on 3 of %i slots', (slots, limit) => {
    const index = fastIndex()
    for (let number = 0; number < blocks / 500; number++)
      for (const shift of [0, 3, 5]) index.apply((number + shift) % slots, change('stored', prompt(number)))
    expect(index.entries).toBe(3 * blocks)
    expect(index.bytes / blocks).toBeLessThan(limit)
  })

  test('it comes back as blocks go, and what stays is found', () => {
    const index = fastIndex()
    const empty = index.bytes
    for (let number = 0; number < blocks / 500; number++) index.apply(number % 3, change('stored', prompt(number)))
    const full = index.bytes
    for (let number = 0; number < blocks / 500; number++) if (number % 10 !== 0) index.apply(number % 3, change('removed', prompt(number)))
    expect(index.entries).toBe(blocks / 10)
    expect(index.bytes - empty).toBeLessThan(full / 2)
    for (let number = 0; number < blocks / 500; number += 10)
      expect([...index.match(chainsOf(prompt(number)), 3).device]).toEqual([0, 1, 2].map((slot) => (slot === number % 3 ? 500 : 0)))
    for (const slot of [0, 1, 2]) index.clear(slot)
    expect(index.entries).toBe(0)
    expect(index.bytes - empty).toBeLessThan(1_500_000)
  })

  test('names of its own for each slot survive the moves', () => {
    const index = fastIndex()
    const named = (names: Uint32Array, slot: number) => names.map((word, i) => (i % 2 === 0 ? word : word ^ slot))
    const stored = (names: Uint32Array, slot: number): KvChange =>
      ({ ...(change('stored', names) as { kind: 'stored' }), blocks: named(names, slot) }) as KvChange
    for (let number = 0; number < 150; number++) for (const slot of [0, 1]) index.apply(slot, stored(prompt(number), slot))
    for (let number = 0; number < 145; number++)
      for (const slot of [0, 1]) index.apply(slot, change('removed', named(prompt(number), slot)))
    expect(index.entries).toBe(5 * 500 * 2)
    for (let number = 145; number < 150; number++) {
      expect([...index.match(chainsOf(prompt(number)), 2).device]).toEqual([500, 500])
      index.apply(1, change('removed', named(prompt(number), 1)))
      expect([...index.match(chainsOf(prompt(number)), 2).device]).toEqual([500, 0])
    }
  })
})
