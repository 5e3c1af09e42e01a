// A pool's share of /metrics, read only when somebody scrapes.
import {
  routerIndexBlocks,
  routerIndexBytes,
  routerOverlapBlocks,
  routerPromptBlocks,
  routerQueue,
  routerRequests,
  routerScrapes,
  workerDecodeBlocks,
  workerPrefillTokens,
  workerRequests,
} from '../../lib/metrics.ts'
import type { Members } from '../members/members.ts'

/** Shows these figures until the returned function is called. */
export function showFigures(members: Members, queued: () => number): () => void {
  const fill = () => {
    routerQueue.inc(queued())
    for (const { index } of members.groups.values()) {
      routerIndexBlocks.inc(index.entries)
      routerIndexBytes.inc(index.bytes)
    }
    for (const { slots } of members.byId.values())
      for (const slot of slots) {
        const labels = { worker_id: slot.workerId, dp_rank: String(slot.rank) }
        routerRequests.inc(labels, slot.placed)
        routerPromptBlocks.inc(labels, slot.promptBlocks)
        routerOverlapBlocks.inc(labels, slot.overlapBlocks)
        workerPrefillTokens.inc(labels, slot.prefillTokens)
        workerDecodeBlocks.inc(labels, slot.blocks)
        workerRequests.inc(labels, slot.requests)
      }
  }
  routerScrapes.add(fill)
  return () => routerScrapes.delete(fill)
}
