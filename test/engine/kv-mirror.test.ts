// The mirror against a plain model: sets of names by tier. What it dumps rebuilds another mirror of equal content.
import { expect, test } from 'bun:test'
import { type KvMirror, kvMirror } from '../../src/engine/kv-mirror.ts'
import type { KvChange, KvTier } from '../../src/engine/types.ts'
import { contentOf, pairsOf } from '../helpers/block-names.ts'

const roomy = { device: 1000, lower: 1000 }
const stored = (names: number[], parent: number | null = null, tier: KvTier = 'device'): KvChange => ({
  kind: 'stored',
  blocks: pairsOf(...names),
  parent: parent === null ? null : pairsOf(parent),
  local: pairsOf(...names.map((name) => name + 1000)),
  tier,
})
const removed = (names: number[], tier: KvTier = 'device'): KvChange => ({ kind: 'removed', blocks: pairsOf(...names), tier })

const filled = (...changes: KvChange[]): KvMirror => {
  const mirror = kvMirror(roomy)
  for (const change of changes) mirror.apply(0, change)
  return mirror
}

test('a chain comes back as one change', () => {
  expect(filled(stored([1, 2]), stored([3], 2)).dump(0)).toEqual([stored([1, 2, 3])])
})

test('branches come back behind their parent', () => {
  expect(filled(stored([1, 2]), stored([3], 2), stored([4, 5], 1)).dump(0)).toEqual([stored([1, 2, 3]), stored([4, 5], 1)])
})

test('tiers: a block is gone when its last tier is', () => {
  const mirror = filled(stored([1, 2]), stored([1], null, 'host'))
  expect(mirror.dump(0)).toEqual([stored([1]), stored([1], null, 'host'), stored([2], 1)])
  mirror.apply(0, removed([1, 2]))
  expect(mirror.dump(0)).toEqual([stored([1], null, 'host')])
  mirror.apply(0, removed([1], 'host'))
  expect([mirror.dump(0), mirror.size(0)]).toEqual([[], 0])
})

test('what follows on an unknown block is left out', () => {
  expect(filled(stored([2, 3], 1)).dump(0)).toEqual([])
})

test('a parent that comes back later is told before its children', () => {
  const mirror = filled(stored([1, 2, 3]), stored([9]), removed([1]))
  mirror.apply(0, stored([1]))
  expect(contentOf(mirror.dump(0))).toEqual(['device/1', 'device/2', 'device/3', 'device/9'])
  expect(filled(...mirror.dump(0)).size(0)).toBe(4)
})

test('cleared, and ranks apart', () => {
  const mirror = filled(stored([1]))
  mirror.apply(1, stored([2]))
  mirror.apply(0, { kind: 'cleared' })
  expect([mirror.dump(0), mirror.dump(1), mirror.dump(7)]).toEqual([[], [stored([2])], []])
})

test('beyond its limits the oldest go, and that is told', () => {
  const mirror = kvMirror({ device: 4, lower: 2 })
  expect(mirror.apply(0, stored([1, 2, 3, 4]))).toEqual([])
  expect(mirror.apply(0, stored([5], 4))).toEqual([removed([1])])
  expect(mirror.size(0)).toBe(4)
  expect(mirror.apply(0, stored([11, 12, 13], null, 'host'))).toEqual([removed([11], 'host')])
})

test('random histories: the content is that of the changes, and a dump rebuilds it', () => {
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  const tiers: KvTier[] = ['device', 'host', 'disk', 'external']
  for (let round = 0; round < 30; round++) {
    const mirror = kvMirror(roomy)
    const model = new Map<number, Set<KvTier>>()
    for (let step = 0; step < 200; step++) {
      const tier = tiers[random(4)]!
      const known = [...model.keys()]
      const from = known.length > 0 && random(3) > 0 ? known[random(known.length)]! : null
      if (random(50) === 0) {
        mirror.apply(0, { kind: 'cleared' })
        model.clear()
      } else if (random(3) > 0) {
        // Names by content, as engines have them: parent and number.
        const first = from === null ? random(5) + 1 : from * 7 + random(7)
        if (first > 2 ** 40) continue
        mirror.apply(0, stored([first], from, tier))
        model.set(first, (model.get(first) ?? new Set()).add(tier))
      } else if (from !== null && !known.some((name) => Math.floor(name / 7) === from)) {
        mirror.apply(0, removed([from], tier))
        model.get(from)!.delete(tier)
        if (model.get(from)!.size === 0) model.delete(from)
      }
    }
    const wanted = [...model].flatMap(([name, held]) => [...held].map((tier) => `${tier}/${name.toString(16)}`)).sort()
    expect(contentOf(mirror.dump(0))).toEqual(wanted)
    expect(contentOf(filled(...mirror.dump(0)).dump(0))).toEqual(wanted)
  }
})
