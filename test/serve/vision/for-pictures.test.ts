// What a language engine's pictures meet: they wait a moment for an encoder, and an encoder's failure has a name of its own.
import { afterEach, expect, test } from 'bun:test'
import { EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { type VisionPool, visionPool } from '../../../src/engine/vision/pool/pool.ts'
import { forPictures } from '../../../src/serve/vision/for-pictures.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'

const never = new AbortController().signal
const item = madeUpPicture('a')
const pools: VisionPool[] = []
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.stop())))

function started(giveUpMs = 20): VisionPool {
  const pool = visionPool({ giveUpMs })
  pool.start().catch(() => {})
  pools.push(pool)
  return pool
}

const mock = (failure = '') => mockEncoder({ modelPath: 'm', dim: 8, failure })
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'rows',
    (error) => `${error.status} ${error.code}`,
  )

test('a picture waits for the first encoder', async () => {
  const pool = started()
  const rows = forPictures(pool, new EmbeddingCache(1e6)).encode(item, never)
  pool.add('first', mock())
  expect(await rows).toMatchObject({ rows: 12, dim: 8 })
})

test('not for ever, and not longer than its client', async () => {
  const pictures = forPictures(started(), new EmbeddingCache(1e6), { waitMs: 20 })
  expect(await codeOf(pictures.encode(item, never))).toBe('503 encoder_unavailable')
  const gone = new AbortController()
  const waiting = forPictures(started(), new EmbeddingCache(1e6)).encode(item, gone.signal)
  gone.abort()
  expect(await codeOf(waiting)).toBe('499 client_closed_request')
  expect(await codeOf(pictures.encode(item, AbortSignal.abort()))).toBe('499 client_closed_request')
})

test('an encoder’s failures are told as an encoder’s: the router must not take them for the language engine’s', async () => {
  const dead = mock()
  const pool = started()
  pool.add('dies', dead)
  const pictures = forPictures(pool, new EmbeddingCache(0))
  await pictures.encode(item, never)
  dead.die()
  expect(await codeOf(pictures.encode(item, never))).toBe('503 encoder_unavailable')
  const failing = started()
  failing.add('fails', mock('error'))
  expect(await codeOf(forPictures(failing, new EmbeddingCache(0)).encode(item, never))).toBe('500 encoder_failed')
})

test('a picture that is known needs no encoder', async () => {
  const only = mock()
  const pool = started()
  pool.add('only', only)
  const cache = new EmbeddingCache(1e6)
  const pictures = forPictures(pool, cache)
  const rows = await pictures.encode(item, never)
  only.die()
  expect(await pictures.encode(item, never)).toEqual(rows)
  expect(cache.figures).toMatchObject({ hits: 1, misses: 1 })
})
