// The one with the fewest requests. What engines report counts too: bookings know nothing of other frontends' requests.
import type { Candidate, Policy } from './policy.ts'

export const leastLoaded: Policy = {
  name: 'least-loaded',
  scored: false,
  pinnedOnly: false,
  pick(candidates) {
    let best = 0
    for (let i = 1; i < candidates.length; i++) if (lighter(candidates[i]!, candidates[best]!)) best = i
    return best
  },
}

/** Fewer requests, then less prompt to compute, then the longer rest. */
export function lighter(one: Candidate, other: Candidate): boolean {
  const less = one.requests + one.foreign - other.requests - other.foreign || one.prefillTokens - other.prefillTokens
  return less === 0 ? one.lastPlaced < other.lastPlaced : less < 0
}
