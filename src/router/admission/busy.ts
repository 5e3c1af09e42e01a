// When a rank is too full for more: Dynamo's busy thresholds. A busy rank is passed over; when all are busy, requests are refused.

import type { Exclusion, Slot } from '../members/slots.ts'
import type { BusyThresholds } from '../router.ts'

/** Why this rank is busy; empty: it is not. An absent threshold is never passed. */
export function busyReason(slot: Slot, thresholds: BusyThresholds): Exclusion {
  const { activeDecodeBlocksThreshold: blocks, activePrefillTokensThreshold: tokens, activePrefillTokensThresholdFrac: steps } = thresholds
  // The engine's report has what bookings lack, the answers' own blocks; bookings have what no report has yet.
  if (blocks !== undefined && Math.max(slot.blocks, slot.usedBlocks) > blocks * slot.totalBlocks) return 'busy: decode blocks'
  if (tokens !== undefined && slot.prefillTokens > tokens) return 'busy: prefill tokens'
  if (steps !== undefined && slot.prefillTokens > steps * slot.stepTokens) return 'busy: prefill tokens'
  return ''
}
