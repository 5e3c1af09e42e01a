// Merging: the scan and the heap give what the rule says, written down plainly here.
import { expect, test } from 'bun:test'
import { uniform } from '../../../models/random.ts'
import { merge, mergeTable } from '../../../src/tokenizer/encode/bpe.ts'

/** The plain twin: look for the lowest rank from the left, join, again. */
function plainMerge(symbols: readonly number[], pairs: readonly [number, number, number][]): number[] {
  const ids = [...symbols]
  for (;;) {
    let best = -1
    let lowest = pairs.length
    for (let i = 0; i + 1 < ids.length; i++) {
      const rank = pairs.findLastIndex(([left, right]) => left === ids[i] && right === ids[i + 1])
      if (rank >= 0 && rank < lowest) [best, lowest] = [i, rank]
    }
    if (best < 0) return ids
    ids.splice(best, 2, pairs[lowest]![2])
  }
}

test('random words over random merges, around the border between scan and heap', () => {
  const next = uniform(4)
  for (let round = 0; round < 40; round++) {
    const letters = 2 + Math.floor(next() * 4)
    // Each merge joins two symbols that exist by then.
    const pairs = Array.from({ length: 30 }, (_, i): [number, number, number] => {
      const known = letters + i
      return [Math.floor(next() * known), Math.floor(next() * known), known]
    })
    const table = mergeTable(Uint32Array.from(pairs.flat()))
    for (const length of [0, 1, 2, 5, 47, 48, 49, 120]) {
      const word = Array.from({ length }, () => Math.floor(next() * letters))
      const symbols = Uint32Array.from(word)
      expect([...symbols.subarray(0, merge(symbols, length, table))]).toEqual(plainMerge(word, pairs))
    }
  }
})

test('a pair that comes twice keeps its last rank', () => {
  const table = mergeTable(Uint32Array.of(0, 0, 2, 0, 1, 3, 0, 0, 4))
  const symbols = Uint32Array.of(0, 0, 1)
  expect([...symbols.subarray(0, merge(symbols, 3, table))]).toEqual([0, 3])
})
