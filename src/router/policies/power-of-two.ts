// Two by lot, the lighter of them: nearly as even as least-loaded, and several routers do not all run to the same one.
import { lighter } from './least-loaded.ts'
import type { Policy } from './policy.ts'

export const powerOfTwo: Policy = {
  name: 'power-of-two',
  scored: false,
  pinnedOnly: false,
  pick(candidates, { random }) {
    const count = candidates.length
    if (count === 1) return 0
    const first = Math.floor(random() * count)
    const second = (first + 1 + Math.floor(random() * (count - 1))) % count
    return lighter(candidates[second]!, candidates[first]!) ? second : first
  },
}
