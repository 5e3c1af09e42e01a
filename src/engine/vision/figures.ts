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
import type { Totals } from './pool/totals.ts'

/** Shows them until the returned function is called. */
export function showVision(model: string, cache: EmbeddingCache | undefined, pool: VisionPool | undefined): () => void {
  const fill = () => {
    if (cache !== undefined) {
      const { hits, misses, joined, evictions, entries, bytes, capacityBytes } = cache.figures
      cacheHits.inc({ model }, hits)
      cacheMisses.inc({ model }, misses)
      cacheJoined.inc({ model }, joined)
      cacheEvictions.inc({ model }, evictions)
      cacheEntries.set({ model }, entries)
      cacheBytes.set({ model }, bytes)
      cacheUtilization.set({ model }, capacityBytes === 0 ? 0 : bytes / capacityBytes)
    }
    for (const figures of pool?.figures() ?? []) {
      const labels = { model, encoder: figures.id }
      encoderReady.set(labels, figures.ready && !figures.aside ? 1 : 0)
      encoderPatches.set(labels, figures.patches)
      total(labels, figures)
    }
    for (const [encoder, totals] of pool?.left() ?? []) total({ model, encoder }, totals)
  }
  visionScrapes.add(fill)
  return () => visionScrapes.delete(fill)
}

function total(labels: { model: string; encoder: string }, { pictures, failures, seconds }: Totals): void {
  encoderPictures.inc(labels, pictures)
  encoderFailures.inc(labels, failures)
  encoderSeconds.inc(labels, seconds)
}
