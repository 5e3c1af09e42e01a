import { expect, test } from 'bun:test'
import { predicted } from '../../../src/router/index/predicted.ts'
import { random } from '../../helpers/random.ts'
import { chainOf } from '../../suites/index.suite.ts'

function make(ttlMs = 1000, maxEntries = 1e6) {
  let now = 5_000_000
  const guess = predicted({ ttlMs, maxEntries, clock: () => now })
  const depths = (prompt: string, slots = 2) => {
    const into = new Uint32Array(slots)
    guess.match(chainOf(prompt), slots, into)
    return [...into]
  }
  return { guess, depths, wait: (ms: number) => (now += ms) }
}

test('a prompt is believed to be where it was sent, for a time', () => {
  const { guess, depths, wait } = make()
  guess.add(0, chainOf('abc'))
  guess.add(1, chainOf('ab'))
  expect(depths('abcd')).toEqual([3, 2])
  wait(999)
  expect(depths('abcd')).toEqual([3, 2])
  wait(1)
  expect(depths('abcd')).toEqual([0, 0])
  guess.sweep()
  expect(guess.entries).toBe(0)
})

test('sent again, its time begins again, for the blocks that it has', () => {
  const { guess, depths, wait } = make()
  guess.add(0, chainOf('abcd'))
  wait(600)
  guess.add(0, chainOf('ab'))
  wait(600)
  expect(depths('abcd', 1)).toEqual([2])
})

test('the answer is the most of what was known and what is believed', () => {
  const { guess } = make()
  guess.add(0, chainOf('abc'))
  const into = Uint32Array.of(1, 2)
  guess.match(chainOf('abcd'), 2, into)
  expect([...into]).toEqual([3, 2])
})

test("a worker's end", () => {
  const { guess, depths } = make()
  guess.add(0, chainOf('abc'))
  guess.add(1, chainOf('abc'))
  guess.clear(0)
  expect(depths('abc')).toEqual([0, 3])
  expect(guess.entries).toBe(3)
})

test('bounded: the oldest go first', () => {
  const { guess, depths, wait } = make(1e6, 100)
  for (let i = 0; i < 40; i++) {
    guess.add(0, chainOf(`${String.fromCharCode(200 + i)}bcdefgh`))
    wait(1)
    expect(guess.entries).toBeLessThanOrEqual(100)
  }
  expect(depths(`${String.fromCharCode(239)}bcdefgh`, 1)).toEqual([8])
  expect(depths(`${String.fromCharCode(200)}bcdefgh`, 1)).toEqual([0])
})

test('memory comes back', () => {
  const { guess, wait } = make()
  const empty = guess.bytes
  const chain = new Uint32Array(200_000).map(() => Math.random() * 2 ** 32)
  guess.add(0, chain)
  guess.add(1, chain)
  expect(guess.entries).toBe(200_000)
  wait(2000)
  guess.add(0, chainOf('a'))
  expect(guess.entries).toBe(1)
  expect(guess.bytes).toBe(empty)
})

test('it is what a map of times would be', () => {
  const next = random(3)
  const { guess, depths, wait } = make(100)
  const last = new Map<string, number>()
  let now = 0
  for (let i = 0; i < 3000; i++) {
    const prompt = Array.from({ length: 1 + next(7) }, () => 'abc'[next(3)]).join('')
    const slot = next(40)
    if (next(2) === 0) {
      guess.add(slot, chainOf(prompt))
      for (let end = 1; end <= prompt.length; end++) last.set(`${slot}${prompt.slice(0, end)}`, now)
    } else if (next(50) === 0) {
      guess.clear(slot)
      for (const key of last.keys()) if (Number.parseInt(key, 10) === slot) last.delete(key)
    } else if (i % 3 === 0) {
      const expected = Array.from({ length: 40 }, (_, s) => {
        let end = 0
        while (end < prompt.length && now - (last.get(`${s}${prompt.slice(0, end + 1)}`) ?? -1e9) < 100) end++
        return end
      })
      expect(depths(prompt, 40)).toEqual(expected)
    }
    const ms = next(8)
    wait(ms)
    now += ms
  }
})
