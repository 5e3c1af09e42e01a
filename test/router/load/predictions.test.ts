import { expect, test } from 'bun:test'
import { chainHashes, localHashes } from '../../../src/lib/block-hash.ts'
import { Predictions } from '../../../src/router/load/predictions.ts'

/** One block per letter. */
const chainOf = (text: string) =>
  chainHashes(
    localHashes(
      Uint32Array.from(text, (letter) => letter.charCodeAt(0)),
      1,
    ),
  ).slice()

function depths(predictions: Predictions, text: string, now: number): number[] {
  const found = new Uint32Array(2)
  predictions.depths(chainOf(text), now, found)
  return [...found]
}

test('a prompt counts until its time is over, the same one sent again a little longer', () => {
  const predictions = new Predictions()
  predictions.add(0, chainOf('system:one'), 1000, 100)
  predictions.add(1, chainOf('system:two'), 2000, 100)
  predictions.add(0, chainOf('system:'), 3000, 100)
  expect(depths(predictions, 'system:one', 999)).toEqual([10, 7])
  expect(depths(predictions, 'system:one', 1000)).toEqual([7, 7])
  expect(depths(predictions, 'system:two', 2000)).toEqual([7, 0])
  expect(depths(predictions, 'system:two', 3000)).toEqual([0, 0])
  expect(predictions.keptBlocks).toBe(0)
})

test('a rank counts as holding no more than its cache can, the newest prompts', () => {
  const predictions = new Predictions()
  predictions.add(0, chainOf('aaaaaa'), 1000, 10)
  predictions.add(0, chainOf('bbbbbb'), 1000, 10)
  expect([depths(predictions, 'aaaaaa', 0)[0], depths(predictions, 'bbbbbb', 0)[0]]).toEqual([0, 6])
  predictions.add(0, chainOf('cccccccccccccccc'), 1000, 10)
  expect([depths(predictions, 'bbbbbb', 0)[0], depths(predictions, 'cccccccccccccccc', 0)[0]]).toEqual([0, 16])
})

test('what came to nothing is forgotten at once, and so is all of an emptied cache', () => {
  const predictions = new Predictions()
  const one = predictions.add(0, chainOf('abc'), 1000, 100)!
  predictions.add(0, chainOf('abd'), 1000, 100)
  predictions.drop(one)
  predictions.drop(one)
  expect(depths(predictions, 'abc', 0)).toEqual([2, 0])
  predictions.forget(0)
  expect(depths(predictions, 'abd', 0)).toEqual([0, 0])
  expect(predictions.keptBlocks).toBe(0)
  expect(predictions.add(0, chainOf(''), 1000, 100)).toBeUndefined()
})

test('its memory is bounded: the busiest rank gives up its oldest', () => {
  const predictions = new Predictions(20)
  predictions.add(1, chainOf('zzz'), 1000, 100)
  for (const letter of 'abcdefgh') predictions.add(0, chainOf(letter.repeat(5)), 1000, 100)
  expect(predictions.keptBlocks).toBeLessThanOrEqual(20)
  expect(depths(predictions, 'zzz', 0)).toEqual([0, 3])
  expect([depths(predictions, 'aaaaa', 0)[0], depths(predictions, 'hhhhh', 0)[0]]).toEqual([0, 5])
})

test('thousands of short-lived ones leave nothing behind', () => {
  const predictions = new Predictions()
  for (let now = 0; now < 5000; now++) {
    predictions.add(now % 2, chainOf(`s${now}`), now + 10, 100)
    depths(predictions, 's', now)
  }
  expect(predictions.keptBlocks).toBeLessThan(100)
  expect(depths(predictions, 's', 6000)).toEqual([0, 0])
  expect(predictions.keptBlocks).toBe(0)
})
