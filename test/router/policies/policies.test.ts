import { describe, expect, test } from 'bun:test'
import { findPolicy, policyNames } from '../../../src/router/policies/registry.ts'
import { seededRandom } from '../../helpers/fakes/router-pool.ts'
import { candidate, policySuite, share } from '../../suites/policy.suite.ts'

for (const name of policyNames) policySuite(findPolicy(name))

const options = { temperature: 0, random: seededRandom(1) }

test('the names are those of --router-mode', () => {
  expect([...policyNames].sort()).toEqual(['direct', 'kv', 'least-loaded', 'power-of-two', 'random', 'round-robin'])
})

describe('kv', () => {
  const { pick } = findPolicy('kv')

  test('the lowest cost wins; ties go to fewer requests', () => {
    expect(pick([candidate('a', { cost: 5 }), candidate('b', { cost: 4, requests: 9 }), candidate('c', { cost: 6 })], options)).toBe(1)
    expect(pick([candidate('a', { cost: 5, requests: 2 }), candidate('b', { cost: 5, requests: 1 })], options)).toBe(1)
    expect(pick([candidate('a', { cost: 5, foreign: 2 }), candidate('b', { cost: 5, requests: 1 })], options)).toBe(1)
  })

  test('a temperature spreads the choice by softmax over the range of costs', () => {
    const all = [candidate('a', { cost: 10 }), candidate('b', { cost: 20 }), candidate('c', { cost: 15 })]
    const random = seededRandom(9)
    const shares = [0, 0, 0]
    for (let turn = 0; turn < 20_000; turn++) shares[pick(all, { temperature: 0.5, random })]!++
    const weights = [1, Math.exp(-2), Math.exp(-1)]
    const sum = weights[0]! + weights[1]! + weights[2]!
    weights.forEach((weight, i) => {
      expect(shares[i]! / 20_000).toBeCloseTo(weight / sum, 1)
    })
  })

  test('with a temperature equal costs are equally likely', () => {
    const shares = share({ ...findPolicy('kv') }, [candidate('a'), candidate('b')], 2)
    expect(shares[0]! + shares[1]!).toBe(2)
    const random = seededRandom(2)
    let first = 0
    for (let turn = 0; turn < 1000; turn++) first += pick([candidate('a'), candidate('b')], { temperature: 1, random }) === 0 ? 1 : 0
    expect(first).toBeGreaterThan(400)
    expect(first).toBeLessThan(600)
  })
})

test('round-robin goes in turn, and lets one that comes back in', () => {
  const { pick } = findPolicy('round-robin')
  expect(share(findPolicy('round-robin'), [candidate('a'), candidate('b'), candidate('c')], 9)).toEqual([3, 3, 3])
  expect(pick([candidate('a', { lastPlaced: 8 }), candidate('new'), candidate('c', { lastPlaced: 7 })], options)).toBe(1)
})

test('least-loaded counts what engines report of others, then prompt tokens', () => {
  const { pick } = findPolicy('least-loaded')
  expect(pick([candidate('a', { requests: 1 }), candidate('b', { foreign: 3 }), candidate('c', { requests: 2 })], options)).toBe(0)
  expect(pick([candidate('a', { requests: 1, prefillTokens: 90 }), candidate('b', { requests: 1, prefillTokens: 10 })], options)).toBe(1)
})

test('power-of-two never takes the heaviest of three', () => {
  const all = [candidate('a', { requests: 5 }), candidate('b', { requests: 1 }), candidate('c', { requests: 2 })]
  const random = seededRandom(4)
  for (let turn = 0; turn < 200; turn++) expect(findPolicy('power-of-two').pick(all, { temperature: 0, random })).not.toBe(0)
})
