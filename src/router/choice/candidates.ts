// Who can take a request: every slot of the pool gets a reason why not, or goes into the list.
import { AppError } from '../../lib/errors.ts'
import { blocks as breakerBlocks } from '../admission/breaker.ts'
import { busyReason } from '../admission/busy.ts'
import type { Members } from '../members/members.ts'
import type { Exclusion, Slot } from '../members/slots.ts'
import type { BusyThresholds, Placement } from '../router.ts'

export interface Gates {
  readonly now: number
  readonly busy: BusyThresholds
  readonly engineRequestLimit: number | undefined
  readonly queueThreshold: number | undefined
  /** The slot that the request's session is bound to; `hard`: it or none. */
  readonly bound: Slot | undefined
  readonly hard: boolean
}

/** `open`: the list has candidates. `unavailable`: no engine is ready. `busy`: all are beyond a threshold. `full`: the request should wait. */
export type Verdict = 'open' | 'unavailable' | 'busy' | 'full'

/** Fills `list`. Throws AppError `invalid_value` for a worker or a rank that does not exist. */
export function gather(members: Members, placement: Placement, gates: Gates, list: Slot[]): Verdict {
  checkPins(members, placement)
  list.length = 0
  collectReady(members, placement, gates.now, list)
  if (gates.bound !== undefined && gates.hard) keep(list, (slot) => (slot === gates.bound ? '' : 'the session is bound elsewhere'))
  if (list.length === 0) return 'unavailable'
  preferTrusted(list, gates)
  if (list.length === 0) return 'unavailable'
  keep(list, (slot) => busyReason(slot, gates.busy))
  if (list.length === 0) return 'busy'
  const { engineRequestLimit: limit } = gates
  if (limit !== undefined) keep(list, (slot) => (slot.requests < limit ? '' : 'at its request limit'))
  if (list.length === 0) return 'full'
  return queued(list, gates.queueThreshold) ? 'full' : 'open'
}

/** Slots of engines that are ready and that the placement does not rule out. */
function collectReady(members: Members, { workerId, dpRank, avoid }: Placement, now: number, list: Slot[]): void {
  for (const member of members.byId.values()) {
    const slots = members.slotsOf(member)
    const { engine, id } = member.worker
    let excluded: Exclusion = ''
    if (workerId !== undefined && workerId !== id) excluded = 'not the worker asked for'
    else if (!engine.ready) excluded = 'not ready'
    const tier = (avoid?.has(id) === true ? 2 : 0) + (breakerBlocks(member.breaker, now) ? 1 : 0)
    for (let rank = 0; rank < slots.length; rank++) {
      const slot = slots[rank]!
      slot.excluded = excluded
      slot.tier = tier
      if (excluded !== '') continue
      if (dpRank !== undefined && dpRank !== rank) slot.excluded = 'not the rank asked for'
      else list.push(slot)
    }
  }
}

/** Leaves out workers that failed before and those with an open breaker, unless there is nobody better. */
function preferTrusted(list: Slot[], { bound, hard }: Gates): void {
  if (bound !== undefined && hard) return
  let best = list[0]!.tier
  let same = true
  for (let i = 1; i < list.length; i++) {
    const { tier } = list[i]!
    if (tier !== best) same = false
    if (tier < best) best = tier
  }
  if (same) return
  keep(list, ({ tier }) => (tier === best ? '' : tier >= 2 ? 'it failed this request before' : 'its breaker is open'))
}

/** True when every one has more prompt tokens waiting than the queue's threshold. */
function queued(list: readonly Slot[], threshold: number | undefined): boolean {
  if (threshold === undefined) return false
  for (let i = 0; i < list.length; i++) if (list[i]!.prefillTokens <= threshold * list[i]!.stepTokens) return false
  return true
}

/** Leaves those in the list for which `reason` is empty. */
function keep(list: Slot[], reason: (slot: Slot) => Exclusion): void {
  let kept = 0
  for (let i = 0; i < list.length; i++) {
    const slot = list[i]!
    slot.excluded = reason(slot)
    if (slot.excluded === '') list[kept++] = slot
  }
  list.length = kept
}

function checkPins(members: Members, { workerId, dpRank }: Placement): void {
  if (workerId !== undefined && !members.byId.has(workerId)) {
    const known = [...members.byId.keys()].join(', ')
    throw new AppError('invalid_value', {
      message: `No worker ${workerId}; known: ${known || 'none'}.`,
      param: 'nvext.backend_instance_id',
    })
  }
  if (dpRank === undefined) return
  let ranks = 0
  for (const member of members.byId.values())
    if (workerId === undefined || workerId === member.worker.id) ranks = Math.max(ranks, members.slotsOf(member).length)
  if (ranks > 0 && dpRank >= ranks)
    throw new AppError('invalid_value', {
      message: `There is no data-parallel rank ${dpRank}; ranks are 0 to ${ranks - 1}.`,
      param: 'nvext.dp_rank',
    })
}
