// Overlap and cost of every candidate: one hash and one lookup a block size, then arithmetic.
import type { Cost, CostTerms, CostWeights } from '../cost.ts'
import type { Members } from '../members/members.ts'
import type { Slot } from '../members/slots.ts'
import type { Placement, RouterOverrides } from '../router.ts'

export interface ScoreOptions extends CostWeights {
  readonly trackActiveBlocks: boolean
  /** Blocks that requests share are counted once. */
  readonly shareBlocks: boolean
}

/** Used again for every candidate: costs keep nothing. */
const terms: CostTerms = {
  blockSize: 1,
  promptTokens: 0,
  promptBlocks: 0,
  device: 0,
  host: 0,
  disk: 0,
  prefillTokens: 0,
  leastPrefillTokens: 0,
  blocks: 0,
  blocksAfter: 0,
  requests: 0,
  foreign: 0,
  usedBlocks: 0,
  cachedBlocks: 0,
  totalBlocks: 0,
  waiting: 0,
  decodeOnly: false,
}

/** The options of one request. */
export function withOverrides(options: ScoreOptions, overrides: RouterOverrides | undefined): ScoreOptions {
  if (overrides === undefined) return options
  const { overlapScoreCredit, prefillLoadScale, trackPrefillTokens, assumeKvReuse } = overrides
  return {
    ...options,
    overlapScoreCredit: overlapScoreCredit ?? options.overlapScoreCredit,
    prefillLoadScale: prefillLoadScale ?? options.prefillLoadScale,
    trackPrefillTokens: trackPrefillTokens ?? options.trackPrefillTokens,
    shareBlocks: assumeKvReuse === undefined ? options.shareBlocks : assumeKvReuse && options.trackActiveBlocks,
  }
}

/** Sets overlap and `cost` of each slot. Without a cost the overlap is 0 and nothing is hashed. */
export function score(
  slots: readonly Slot[],
  placement: Placement,
  cost: Cost | undefined,
  options: ScoreOptions,
  members: Members,
  now: number,
): void {
  lookUp(slots, placement, cost !== undefined, options, members, now)
  if (cost === undefined || slots.length === 0) return
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < slots.length; i++) least = Math.min(least, slots[i]!.prefillTokens)
  // Slots of different block sizes are compared in blocks of the first.
  const unit = slots[0]!.group.blockSize
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i]!
    setTerms(slot, placement, least)
    slot.cost = (cost(terms, options) * slot.group.blockSize) / unit
  }
}

/** The terms of one slot after `score`, for people. */
export function termsOf(slot: Slot, placement: Placement, least: number): CostTerms {
  setTerms(slot, placement, least)
  return { ...terms }
}

function setTerms(slot: Slot, { promptIds, embedding }: Placement, least: number): void {
  const { blockSize } = slot.group
  const promptBlocks = Math.ceil(promptIds.length / blockSize)
  terms.blockSize = blockSize
  terms.promptTokens = promptIds.length
  terms.promptBlocks = promptBlocks
  terms.device = slot.device
  terms.host = slot.host
  terms.disk = slot.disk
  terms.prefillTokens = slot.prefillTokens
  terms.leastPrefillTokens = least
  terms.blocks = slot.blocks
  terms.blocksAfter = embedding === true ? slot.blocks : slot.blocks + promptBlocks - slot.shared
  terms.requests = slot.requests
  terms.foreign = slot.foreign
  terms.usedBlocks = slot.usedBlocks
  terms.cachedBlocks = slot.cachedBlocks
  terms.totalBlocks = slot.totalBlocks
  terms.waiting = slot.waiting
  terms.decodeOnly = slot.role === 'decode'
}

/** Hashes the prompt only where somebody asks what lies where. */
function lookUp(slots: readonly Slot[], placement: Placement, scored: boolean, options: ScoreOptions, members: Members, now: number): void {
  const { groups, numbers } = members
  const wanted = scored && placement.embedding !== true && (options.overlapScoreCredit > 0 || options.shareBlocks)
  let done: Slot['group'] | undefined
  for (let i = 0; i < slots.length; i++) {
    const { group } = slots[i]!
    if (group === done || seenBefore(slots, i)) continue
    done = group
    if (wanted) group.lookUp(placement, slots, numbers.count, now, groups.size === 1)
    else group.skip(slots)
  }
}

/** True when an earlier slot is of the same group: with one block size in the pool, never asked. */
function seenBefore(slots: readonly Slot[], at: number): boolean {
  for (let i = 0; i < at; i++) if (slots[i]!.group === slots[at]!.group) return true
  return false
}

/** Prompt tokens that the best of all ranks would still have to compute. */
export function uncachedTokens(members: Members, placement: Placement, now: number): number {
  const { groups, numbers } = members
  const slots = members.slots()
  let least = placement.promptIds.length
  for (const group of groups.values()) group.lookUp(placement, slots, numbers.count, now, groups.size === 1)
  for (const slot of slots) least = Math.min(least, placement.promptIds.length - slot.overlap * slot.group.blockSize)
  return Math.max(0, least)
}
