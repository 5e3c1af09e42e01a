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
  // Sums are counters and stay; what is now goes with the encoder.
  await pool.remove('e0')
  const later = await registry.metrics()
  expect(later).toContain('dynamo_component_vision_encoder_pictures_total{model="tiny-vl",encoder="e0"} 2')
  expect(later).not.toContain('dynamo_component_vision_encoder_ready{model="tiny-vl"')
  for (const name of ['embedding_cache_hits', 'embedding_cache_misses', 'embedding_cache_joined', 'embedding_cache_evictions'])
    expect(text).toContain(`# TYPE dynamo_component_${name}_total counter\n`)
  for (const name of ['pictures', 'failures', 'seconds'])
    expect(text).toContain(`# TYPE dynamo_component_vision_encoder_${name}_total counter\n`)
  expect(text).toContain('# TYPE dynamo_component_vision_encoder_ready gauge\n')
  off()
  expect(await registry.metrics()).not.toContain('tiny-vl')
  await encoder.stop()
})
