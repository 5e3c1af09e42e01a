// What every policy promises, whatever it prefers.
import { describe, expect, test } from 'bun:test'
import type { Candidate, Policy } from '../../src/router/policies/policy.ts'
import { seededRandom } from '../helpers/fakes/router-pool.ts'

/** A candidate with nothing on it, and `change` over that. */
export function candidate(workerId: string, change: Partial<Candidate> = {}): Candidate {
  return { workerId, rank: 0, prefillTokens: 0, blocks: 0, requests: 0, foreign: 0, lastPlaced: 0, cost: 0, ...change }
}

/** `count` picks, each booked as one request; how many each candidate got. */
export function share(policy: Policy, candidates: readonly Candidate[], count: number, temperature = 0): number[] {
  const random = seededRandom(5)
  const shares = candidates.map(() => 0)
  let all = [...candidates]
  for (let turn = 1; turn <= count; turn++) {
    const at = policy.pick(all, { temperature, random })
    shares[at]!++
    all = all.map((one, i) => (i === at ? { ...one, requests: one.requests + 1, lastPlaced: turn, cost: one.cost + 1 } : one))
  }
  return shares
}

export function policySuite(policy: Policy): void {
  describe(policy.name, () => {
    const random = seededRandom(3)
    const options = { temperature: 0, random }

    test('the only candidate is taken, whatever is on it', () => {
      expect(policy.pick([candidate('a', { requests: 99, prefillTokens: 1e6, cost: 1e9, lastPlaced: 7 })], options)).toBe(0)
    })

    test('every pick is one of the candidates, and changes none', () => {
      for (let count = 1; count <= 9; count++) {
        const all = Array.from({ length: count }, (_, i) =>
          candidate(`w${i}`, { requests: i % 3, cost: (7 * i) % 5, lastPlaced: (3 * i) % 4 }),
        )
        const before = structuredClone(all)
        for (let turn = 0; turn < 20; turn++) {
          const at = policy.pick(all, options)
          expect(Number.isInteger(at) && at >= 0 && at < count).toBe(true)
        }
        expect(all).toEqual(before)
      }
    })

    test('equal candidates all get some', () => {
      const shares = share(policy, [candidate('a'), candidate('b'), candidate('c'), candidate('d')], 200)
      expect(Math.min(...shares)).toBeGreaterThan(25)
    })

    test('the same chance gives the same choices', () => {
      const all = [candidate('a'), candidate('b'), candidate('c')]
      expect(share(policy, all, 30)).toEqual(share(policy, all, 30))
    })
  })
}
