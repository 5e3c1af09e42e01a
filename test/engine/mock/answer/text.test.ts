import { expect, test } from 'bun:test'
import { draw, drawWith, naturalLength, roll, rollAll, seedHash } from '../../../../src/engine/mock/answer/text.ts'

const ids = Int32Array.from({ length: 50 }, (_, i) => i + 10)

test('the state depends on every id and on both seeds', () => {
  const states = [
    rollAll(seedHash(0, 0), [1, 2, 3], 0, 3),
    rollAll(seedHash(0, 0), [1, 3, 2], 0, 3),
    rollAll(seedHash(0, 0), [1, 2], 0, 2),
    rollAll(seedHash(1, 0), [1, 2, 3], 0, 3),
    rollAll(seedHash(0, 1), [1, 2, 3], 0, 3),
    rollAll(seedHash(0, 2 ** 40), [1, 2, 3], 0, 3),
    rollAll(seedHash(0, -1), [1, 2, 3], 0, 3),
  ]
  expect(new Set(states).size).toBe(states.length)
})

test('rolling one by one equals rolling all', () => {
  let state = seedHash(7, 9)
  for (const id of [5, 6, 7]) state = roll(state, id)
  expect(state).toBe(rollAll(seedHash(7, 9), [5, 6, 7], 0, 3))
})

test('draws spread over all ids', () => {
  const seen = new Set<number>()
  let state = seedHash(0, 0)
  for (let i = 0; i < 2000; i++) {
    const id = ids[draw(state, 0) % ids.length]!
    seen.add(id)
    state = roll(state, id)
  }
  expect(seen.size).toBe(ids.length)
})

test('an answer without a limit has 64 to 127 tokens', () => {
  const lengths = Array.from({ length: 500 }, (_, i) => naturalLength(seedHash(i, 0)))
  expect(Math.min(...lengths)).toBe(64)
  expect(Math.max(...lengths)).toBe(127)
})

test.each([
  ['+100 is always chosen, in the list or not', new Map([[999, 100]]), undefined, (id: number) => id === 999],
  ['-100 is never chosen', new Map([...ids].slice(0, 49).map((id) => [id, -100] as const)), undefined, (id: number) => id === 59],
  ['a banned id is not chosen, even at +100', new Map([[999, 100]]), new Set([999]), (id: number) => id !== 999],
])('logit bias: %s', (_, bias, banned, holds) => {
  for (let i = 0; i < 200; i++) expect(holds(drawWith(seedHash(i, 0), ids, { bias, banned }))).toBe(true)
})

test('a small positive bias makes an id more frequent, not certain', () => {
  const hits = (pull: number) =>
    Array.from({ length: 2000 }, (_, i) => drawWith(seedHash(i, 0), ids, { bias: new Map([[12, pull]]), banned: undefined })).filter(
      (id) => id === 12,
    ).length
  expect(hits(5)).toBeGreaterThan(hits(0) * 5)
  expect(hits(5)).toBeLessThan(2000)
})
