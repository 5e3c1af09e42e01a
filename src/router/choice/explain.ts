// A decision told: every candidate's overlap, load, cost and reason, for /debug/route, `route` and the log.

import type { Members } from '../members/members.ts'
import type { Slot } from '../members/slots.ts'
import type { Policy } from '../policies/policy.ts'
import type { CandidateScore, Decision, Placement } from '../router.ts'
import type { Verdict } from './candidates.ts'
import { termsOf } from './score.ts'

const reasons: Readonly<Record<Verdict, string>> = {
  open: '',
  unavailable: 'no worker is ready',
  busy: 'every worker is beyond a busy threshold',
  full: 'every worker is at its limit: it would wait in the queue',
}

export interface Decided {
  readonly members: Members
  readonly policy: Policy
  readonly placement: Placement
  readonly verdict: Verdict
  /** Those that could take it. */
  readonly list: readonly Slot[]
  /** Those that cannot were scored too. */
  readonly allScored: boolean
  readonly chosen: Slot | undefined
  /** Where its session is bound, when that decided. */
  readonly bound: Slot | undefined
}

/** Tells the placement that was decided last: reads what that left in the slots. */
export function tell({ members, policy, placement, verdict, list, allScored, chosen, bound }: Decided): Decision {
  const slots = members.slots()
  const blockSize = (chosen ?? slots[0])?.group.blockSize ?? 1
  const least = list.reduce((least, slot) => Math.min(least, slot.prefillTokens), Number.POSITIVE_INFINITY)
  return {
    mode: policy.name,
    blockSize,
    promptTokens: placement.promptIds.length,
    promptBlocks: Math.ceil(placement.promptIds.length / blockSize),
    chosen: chosen === undefined ? null : `${chosen.workerId}/${chosen.rank}`,
    reason: chosen === undefined ? reasons[verdict] : why(policy, placement, list, bound !== undefined),
    candidates: slots.map((slot) => candidate(slot, policy, placement, least, allScored || list.includes(slot))),
  }
}

function candidate(slot: Slot, policy: Policy, placement: Placement, least: number, counted: boolean): CandidateScore {
  const { device, host, disk, predicted } = slot
  const looked = counted && policy.scored
  return {
    workerId: slot.workerId,
    dpRank: slot.rank,
    overlap: looked ? { device, host, disk, predicted } : { device: 0, host: 0, disk: 0, predicted: 0 },
    load: { prefillTokens: slot.prefillTokens, decodeBlocks: slot.blocks, requests: slot.requests },
    ...(looked ? { cost: slot.cost, terms: { ...termsOf(slot, placement, least) } } : {}),
    ...(slot.excluded === '' ? {} : { excluded: slot.excluded }),
  }
}

function why(policy: Policy, { workerId, dpRank }: Placement, list: readonly Slot[], bound: boolean): string {
  if (workerId !== undefined) return dpRank === undefined ? 'the request names this worker' : 'the request names this worker and rank'
  if (bound) return 'its session is bound here'
  if (list.length === 1) return 'the only one that can take it'
  return policy.scored ? `the lowest cost of ${list.length}` : `${policy.name} among ${list.length}`
}

/** The same in one short line for the log: a cost for each candidate, or why it was left out. */
export function logFields(decision: Decision): Record<string, unknown> {
  const { chosen, reason, mode, promptTokens, blockSize, candidates } = decision
  const names: Record<string, number | string> = {}
  let overlap = 0
  for (const { workerId, dpRank, cost, excluded, load, overlap: by } of candidates) {
    const name = `${workerId}/${dpRank}`
    if (name === chosen) overlap = by.device + by.host + by.disk
    names[name] = excluded ?? (cost === undefined ? load.requests : Math.round(cost * 100) / 100)
  }
  return {
    worker: chosen,
    mode,
    reason,
    prompt_tokens: promptTokens,
    overlap_tokens: Math.min(promptTokens, overlap * blockSize),
    candidates: names,
  }
}
