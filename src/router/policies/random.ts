// Any of them, by lot.
import type { Policy } from './policy.ts'

export const random: Policy = {
  name: 'random',
  scored: false,
  pinnedOnly: false,
  pick: (candidates, options) => Math.floor(options.random() * candidates.length),
}
