// The embedding cache: one encode for equal pictures, however they come, and never more bytes than it may hold.
import { expect, test } from 'bun:test'
import { cachedEncoder, EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { type MockEncoder, mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'
import { visionSuite } from '../../suites/vision.suite.ts'

const never = new AbortController().signal
const options = { modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 2 }

visionSuite('cached mock encoder', () => cachedEncoder(mockEncoder(options), new EmbeddingCache(1e6)), {
  pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8), madeUpPicture('c')],
  remembers: true,
})
visionSuite('mock encoder behind a cache that keeps nothing', () => cachedEncoder(mockEncoder(options), new EmbeddingCache(0)), {
  pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8)],
})

async function running(more: Partial<Parameters<typeof mockEncoder>[0]> = {}): Promise<MockEncoder> {
  const encoder = mockEncoder({ ...options, ...more })
  await encoder.start()
  return encoder
}

test('the second time costs no encode, also while the encoder is down', async () => {
  const encoder = await running()
  const cache = new EmbeddingCache(1e6)
  const first = await cache.encode(encoder, madeUpPicture('a'), never)
  encoder.die()
  expect(await cache.encode(encoder, madeUpPicture('a'), never)).toBe(first)
  expect(encoder.encoded).toBe(1)
  expect(cache.figures).toMatchObject({ hits: 1, misses: 1, joined: 0, entries: 1 })
})

test('20 equal pictures at once are encoded once', async () => {
  const encoder = await running()
  const cache = new EmbeddingCache(1e6)
  const all = await Promise.all(Array.from({ length: 20 }, () => cache.encode(encoder, madeUpPicture('a'), never)))
  expect(new Set(all).size).toBe(1)
  expect(encoder.encoded).toBe(1)
  expect(cache.figures).toMatchObject({ hits: 0, misses: 1, joined: 19 })
})

test('who leaves takes nobody along; when all left, the encode ends and the next one begins anew', async () => {
  const encoder = await running({ msPerPicture: 20 })
  const cache = new EmbeddingCache(1e6)
  const [one, two] = [new AbortController(), new AbortController()]
  const leaving = cache.encode(encoder, madeUpPicture('a'), one.signal)
  const staying = cache.encode(encoder, madeUpPicture('a'), two.signal)
  one.abort()
  await expect(leaving).rejects.toMatchObject({ code: 'client_closed_request' })
  expect((await staying).rows).toBe(12)

  const [three, four] = [new AbortController(), new AbortController()]
  const both = [three, four].map(({ signal }) => cache.encode(encoder, madeUpPicture('b'), signal))
  three.abort()
  four.abort()
  await Promise.allSettled(both)
  expect(encoder.patchesInFlight()).toBe(0)
  expect((await cache.encode(encoder, madeUpPicture('b'), never)).rows).toBe(12)
  expect(encoder.encoded).toBe(2)
})

test('a failure is told to all who wait and is not kept', async () => {
  const encoder = await running({ failure: 'error=2' })
  const cache = new EmbeddingCache(1e6)
  await cache.encode(encoder, madeUpPicture('a'), never)
  const failed = await Promise.allSettled([1, 2].map(() => cache.encode(encoder, madeUpPicture('b'), never)))
  expect(failed.map((end) => end.status)).toEqual(['rejected', 'rejected'])
  expect((await cache.encode(encoder, madeUpPicture('b'), never)).rows).toBe(12)
})

test('another domain or another grid is another entry', async () => {
  const cache = new EmbeddingCache(1e6)
  const [a, b] = [await running(), await running({ dim: 32 })]
  const item = madeUpPicture('a')
  const turned = { ...item, grid: [1, 8, 6] as const }
  const dims = [await cache.encode(a, item, never), await cache.encode(b, item, never), await cache.encode(a, turned, never)].map(
    (rows) => [rows.dim, rows.grid[1]],
  )
  expect(dims).toEqual([
    [16, 6],
    [32, 6],
    [16, 8],
  ])
  expect(cache.figures.misses).toBe(3)
})

test('10,000 distinct pictures of 33 kB in a cache of 8 MB: never above it, the newest are there, the others are gone from memory', async () => {
  const encoder = await running({ dim: 64, msPerPicture: 0, parallel: 64 })
  const capacity = 8e6
  const cache = new EmbeddingCache(capacity)
  const picture = (i: number) => madeUpPicture(`picture ${i}`, 8, 16)
  Bun.gc(true)
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  for (let i = 0; i < 10_000; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, k) => cache.encode(encoder, picture(i + k), never)))
    most = Math.max(most, cache.figures.bytes)
  }
  const { bytes, entries, evictions, misses } = cache.figures
  expect(most).toBeLessThanOrEqual(capacity)
  expect(misses).toBe(10_000)
  expect(entries + evictions).toBe(10_000)
  expect(bytes).toBe(entries * (8 * 16 * 64 * 4 + 512))
  expect(bytes).toBeGreaterThan(capacity - 34_000)
  Bun.gc(true)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(capacity + 4e6)

  await cache.encode(encoder, picture(9_999), never)
  expect(cache.figures.hits).toBe(1)
  await cache.encode(encoder, picture(0), never)
  expect(cache.figures.misses).toBe(10_001)
}, 60_000)

test('a part of a larger buffer does not keep the larger buffer', async () => {
  const encoder = await running()
  const whole = new Uint8Array(1_000_000)
  const cut = {
    ...encoder,
    info: encoder.info,
    encode: async () => ({ ...(await encoder.encode(madeUpPicture('a'), never)), bytes: whole.subarray(0, 768) }),
  }
  const cache = new EmbeddingCache(10_000)
  await cache.encode(cut as unknown as MockEncoder, madeUpPicture('a'), never)
  const kept = await cache.encode(encoder, madeUpPicture('a'), never)
  expect(kept.bytes.buffer.byteLength).toBe(768)
})
