// Changes cut into messages add up to the same, and no message is longer than it may be.
import { expect, test } from 'bun:test'
import { batches } from '../../../src/engine/remote/kv-batches.ts'
import type { KvChange } from '../../../src/engine/types.ts'
import { pairsOf } from '../../helpers/block-names.ts'

const stored = (names: number[], parent: number | null = null): KvChange => ({
  kind: 'stored',
  blocks: pairsOf(...names),
  parent: parent === null ? null : pairsOf(parent),
  local: pairsOf(...names.map((name) => -name)),
  tier: 'device',
})
const removed = (...names: number[]): KvChange => ({ kind: 'removed', blocks: pairsOf(...names), tier: 'host' })

test.each([
  ['little', [stored([1, 2]), removed(1)], [[stored([1, 2]), removed(1)]]],
  ['nothing', [], []],
  ['a chain that is too long', [stored([1, 2, 3, 4, 5])], [[stored([1, 2, 3])], [stored([4, 5], 3)]]],
  ['one that reaches over the edge', [stored([1, 2]), stored([3, 4], 2)], [[stored([1, 2]), stored([3], 2)], [stored([4], 3)]]],
  ['removals', [removed(1, 2, 3, 4)], [[removed(1, 2, 3)], [removed(4)]]],
  ['cleared', [stored([1, 2, 3]), { kind: 'cleared' }, stored([4])], [[stored([1, 2, 3])], [{ kind: 'cleared' }, stored([4])]]],
] as [string, KvChange[], KvChange[][]][])('%s', (_name, changes, wanted) => {
  expect(batches(changes, 3)).toEqual(wanted)
})
