// The cheapest by cost.ts: what the prompt would still have to compute there, against what already runs there.
import type { Candidate, PickOptions, Policy } from './policy.ts'

/** Costs closer than this are equal: sums of the same blocks in another order. */
const epsilon = 1e-9

export const kv: Policy = {
  name: 'kv',
  scored: true,
  pinnedOnly: false,
  pick: (candidates, options) => (options.temperature > 0 ? sample(candidates, options) : cheapest(candidates, options)),
}

/** Ties go to the one with the fewest requests, further ones by lot. */
function cheapest(candidates: readonly Candidate[], { random }: PickOptions): number {
  let best = 0
  let ties = 1
  for (let i = 1; i < candidates.length; i++) {
    const one = candidates[i]!
    const other = candidates[best]!
    let less = one.cost - other.cost
    if (Math.abs(less) <= epsilon) less = one.requests + one.foreign - other.requests - other.foreign
    if (less > 0) continue
    ties = less === 0 ? ties + 1 : 1
    if (less < 0 || random() * ties < 1) best = i
  }
  return best
}

/** Softmax of -cost, where the costs' range is one unit (Dynamo's scale). */
function sample(candidates: readonly Candidate[], { temperature, random }: PickOptions): number {
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const { cost } of candidates) {
    least = Math.min(least, cost)
    most = Math.max(most, cost)
  }
  const scale = (most - least) * temperature
  if (scale <= 0) return Math.floor(random() * candidates.length)
  let sum = 0
  for (const { cost } of candidates) sum += Math.exp((least - cost) / scale)
  let rest = random() * sum
  for (let i = 0; i < candidates.length; i++) {
    rest -= Math.exp((least - candidates[i]!.cost) / scale)
    if (rest < 0) return i
  }
  return candidates.length - 1
}
