// The worker that the request names; among its ranks, in turn.
import type { Policy } from './policy.ts'
import { roundRobin } from './round-robin.ts'

export const direct: Policy = { name: 'direct', scored: false, pinnedOnly: true, pick: roundRobin.pick }
