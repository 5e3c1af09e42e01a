import { expect, test } from 'bun:test'
import { type Breaker, type BreakerEvent, blocks, closedBreaker, stepBreaker } from '../../../src/router/admission/breaker.ts'

const limits = { failures: 3, openMs: 5000 }

/** Each line: what happens when, and whether requests should go elsewhere after it. */
type Line = readonly [event: BreakerEvent, at: number, blocked: boolean]

const stories: Record<string, readonly Line[]> = {
  'three failures in a row open it, for a while': [
    ['failure', 0, false],
    ['failure', 1, false],
    ['failure', 2, true],
  ],
  'an answer in between starts the count anew': [
    ['failure', 0, false],
    ['failure', 1, false],
    ['success', 2, false],
    ['failure', 3, false],
    ['failure', 4, false],
  ],
  'a client that left says nothing': [
    ['failure', 0, false],
    ['unknown', 1, false],
    ['failure', 2, false],
    ['failure', 3, true],
  ],
  'one request tries it, and its answer closes it': [
    ['failure', 0, false],
    ['failure', 0, false],
    ['failure', 0, true],
    ['placed', 6000, true],
    ['success', 6500, false],
  ],
  'a try that fails opens it again': [
    ['failure', 0, false],
    ['failure', 0, false],
    ['failure', 0, true],
    ['placed', 6000, true],
    ['failure', 6500, true],
    ['unknown', 7000, true],
  ],
  'a try without an answer lets the next one try': [
    ['failure', 0, false],
    ['failure', 0, false],
    ['failure', 0, true],
    ['placed', 6000, true],
    ['unknown', 6500, false],
    ['placed', 6600, true],
  ],
  'an engine that is ready again may be tried at once': [
    ['failure', 0, false],
    ['failure', 0, false],
    ['failure', 0, true],
    ['ready', 10, false],
    ['placed', 20, true],
    ['success', 30, false],
  ],
}

for (const [name, lines] of Object.entries(stories))
  test(name, () => {
    let breaker: Breaker = closedBreaker
    for (const [event, at, blocked] of lines) {
      breaker = stepBreaker(breaker, event, at, limits)
      expect([event, at, blocks(breaker, at)]).toEqual([event, at, blocked])
    }
  })

test('it opens again by itself, and 0 failures turn it off', () => {
  let breaker: Breaker = closedBreaker
  for (let i = 0; i < 3; i++) breaker = stepBreaker(breaker, 'failure', 0, limits)
  expect([blocks(breaker, 4999), blocks(breaker, 5000)]).toEqual([true, false])
  expect(stepBreaker(closedBreaker, 'failure', 0, { failures: 0, openMs: 1 })).toBe(closedBreaker)
})

test('nothing is made while all goes well', () => {
  expect(stepBreaker(closedBreaker, 'success', 0, limits)).toBe(closedBreaker)
  expect(stepBreaker(closedBreaker, 'placed', 0, limits)).toBe(closedBreaker)
})
