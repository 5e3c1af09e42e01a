// Threads that prepare a picture together: the same numbers, several pictures at a time, and none of them lost when a thread fails.
import { afterEach, expect, test } from 'bun:test'
import { Crew } from '../../../src/media/vision/crew/crew.ts'
import { useThreads } from '../../../src/media/vision/crew/use.ts'
import type { Backend } from '../../../src/media/vision/vision.ts'
import { presetModel } from './vectors.ts'

afterEach(() => useThreads(0))

const [width, height] = [1000, 700]
const noise = (seed: number) => Uint8Array.from({ length: 3 * width * height }, (_, i) => Math.imul(i + seed, 2654435761) >>> 24)

test.each(['pil', 'tv_u8', 'tv_f32'] as Backend[])('%s: as without threads', async (backend) => {
  const model = presetModel('qwen2vl')
  await useThreads(0)
  const alone = await model.preprocess(noise(1), width, height, backend)
  await useThreads(3)
  const together = await model.preprocess(noise(1), width, height, backend)
  expect(together.values.buffer).toBeInstanceOf(SharedArrayBuffer)
  expect(Buffer.compare(bytes(together.values), bytes(alone.values))).toBe(0)
  expect(Buffer.compare(together.pixels!, alone.pixels!)).toBe(0)
})

test('bytes, and the table that makes numbers of them: the same numbers', async () => {
  const model = presetModel('qwen2vl')
  await useThreads(0)
  const { values, shape } = await model.preprocess(noise(5), width, height, 'pil')
  for (const threads of [0, 2]) {
    await useThreads(threads)
    const made = await model.preprocessBytes!(noise(5), width, height, 'pil')
    expect([made.shape, made.bytes.length]).toEqual([shape, values.length])
    const plane = 14 * 14 * 2
    expect(made.bytes.every((byte, i) => made.levels[256 * (Math.floor(i / plane) % 3) + byte] === values[i])).toBe(true)
  }
})

test('several pictures at once, each its own; memory that came back is used again', async () => {
  const model = presetModel('qwen3vl')
  await useThreads(0)
  const alone = await Promise.all([1, 2, 3].map((seed) => model.preprocess(noise(seed), width, height, 'tv_u8')))
  await useThreads(2)
  for (let round = 0; round < 2; round++) {
    const together = await Promise.all([1, 2, 3].map((seed) => model.preprocess(noise(seed), width, height, 'tv_u8')))
    for (const [i, one] of together.entries()) expect(Buffer.compare(bytes(one.values), bytes(alone[i]!.values))).toBe(0)
    for (const one of together) one.release?.()
  }
})

test('a picture whose crew is stopped is prepared without it', async () => {
  const model = presetModel('qwen2vl')
  const expected = await model.preprocess(noise(4), width, height, 'tv_u8')
  await useThreads(2)
  const under = model.preprocess(noise(4), width, height, 'tv_u8')
  await useThreads(0)
  expect(Buffer.compare(bytes((await under).values), bytes(expected.values))).toBe(0)
})

test('a thread that fails ends the crew', async () => {
  const crew = new Crew(2)
  const numbers = {
    filter: 'bicubic',
    mean: [0, 0, 0],
    std: [1, 1, 1],
    rescale: 1,
    order: { patch: 14, merge: 2, temporal: 2 },
    tiled: false,
  } as const
  const size = { width: 28, height: 28 }
  const wrong = { width: 30, height: 28 }
  await expect(crew.prepare(new Uint8Array(3 * 28 * 28), size, wrong, numbers, 'pil', undefined)).rejects.toThrow(
    '30 pixels are no whole blocks of 28',
  )
  await expect(crew.prepare(new Uint8Array(3 * 28 * 28), size, size, numbers, 'pil', undefined)).rejects.toThrow(
    '30 pixels are no whole blocks of 28',
  )
})

function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
