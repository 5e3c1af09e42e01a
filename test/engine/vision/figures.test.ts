// What /metrics says of vision.
import { expect, test } from 'bun:test'
import { cachedEncoder, EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { showVision } from '../../../src/engine/vision/figures.ts'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { visionPool } from '../../../src/engine/vision/pool/pool.ts'
import { registry } from '../../../src/lib/metrics.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'

test('hits, misses, bytes and the encoders behind, until they are taken off', async () => {
  const pool = visionPool()
  pool.add('e0', mockEncoder({ modelPath: 'm', dim: 16 }))
  const cache = new EmbeddingCache(10_000)
  const encoder = cachedEncoder(pool, cache)
  await encoder.start()
  const off = showVision('tiny-vl', cache, pool)
  const never = new AbortController().signal
  for (const name of ['a', 'b', 'a']) await encoder.encode(madeUpPicture(name), never)
  const text = await registry.metrics()
  const rows = 12 * 16 * 4 + 512
  for (const line of [
    'dynamo_component_embedding_cache_hits_total{model="tiny-vl"} 1',
    'dynamo_component_embedding_cache_misses_total{model="tiny-vl"} 2',
    `dynamo_component_embedding_cache_current_bytes{model="tiny-vl"} ${2 * rows}`,
    `dynamo_component_embedding_cache_utilization{model="tiny-vl"} ${(2 * rows) / 10_000}`,
    'dynamo_component_vision_encoder_ready{model="tiny-vl",encoder="e0"} 1',
    'dynamo_component_vision_encoder_pictures_total{model="tiny-vl",encoder="e0"} 2',
  ])
    expect(text).toContain(line)
  off()
  expect(await registry.metrics()).not.toContain('tiny-vl')
  await encoder.stop()
})
