// The cache and the encoders of one model on /metrics, read when somebody scrapes.
import {
  cacheBytes,
  cacheEntries,
  cacheEvictions,
  cacheHits,
  cacheJoined,
  cacheMisses,
  cacheUtilization,
  encoderFailures,
  encoderPatches,
  encoderPictures,
  encoderReady,
  encoderSeconds,
  visionScrapes,
} from '../../lib/vision-metrics.ts'
import type { EmbeddingCache } from './cache.ts'
import type { VisionPool } from './pool/pool.ts'

/** Shows them until the returned function is called. */
export function showVision(model: string, cache: EmbeddingCache | undefined, pool: VisionPool | undefined): () => void {
  const fill = () => {
    if (cache !== undefined) {
      const { hits, misses, joined, evictions, entries, bytes, capacityBytes } = cache.figures
      cacheHits.set({ model }, hits)
      cacheMisses.set({ model }, misses)
      cacheJoined.set({ model }, joined)
      cacheEvictions.set({ model }, evictions)
      cacheEntries.set({ model }, entries)
      cacheBytes.set({ model }, bytes)
      cacheUtilization.set({ model }, capacityBytes === 0 ? 0 : bytes / capacityBytes)
    }
    for (const { id, ready, aside, patches, pictures, failures, seconds } of pool?.figures() ?? []) {
      const labels = { model, encoder: id }
      encoderReady.set(labels, ready && !aside ? 1 : 0)
      encoderPatches.set(labels, patches)
      encoderPictures.set(labels, pictures)
      encoderFailures.set(labels, failures)
      encoderSeconds.set(labels, seconds)
    }
  }
  visionScrapes.add(fill)
  return () => visionScrapes.delete(fill)
}
