// Where a request was put, as response headers.
import type { Place } from '../../pipeline/types.ts'

/** x-worker-id, x-dp-rank, x-kv-overlap, and the prefill side where it is another worker. */
export function placeHeaders(place: Place): Record<string, string> {
  const headers: Record<string, string> = {
    'x-worker-id': place.workerId,
    'x-dp-rank': String(place.dpRank ?? 0),
    'x-kv-overlap': String(place.overlapTokens),
  }
  if (place.prefillWorkerId !== undefined) headers['x-prefill-worker-id'] = place.prefillWorkerId
  if (place.prefillDpRank !== undefined) headers['x-prefill-dp-rank'] = String(place.prefillDpRank)
  return headers
}
