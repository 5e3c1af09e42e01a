// The one that was not chosen for the longest: in turn, also while workers come, go and are left out for a while.
import type { Policy } from './policy.ts'

export const roundRobin: Policy = {
  name: 'round-robin',
  scored: false,
  pinnedOnly: false,
  pick(candidates) {
    let best = 0
    for (let i = 1; i < candidates.length; i++) if (candidates[i]!.lastPlaced < candidates[best]!.lastPlaced) best = i
    return best
  },
}
