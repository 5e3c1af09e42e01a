// What a hearing model's folder says: lengths as transformers 5.19 counts them for Qwen2-Audio.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { writeFamily } from '../../../models/vision/families.ts'
import { hearingModelOf } from '../../../src/media/hearing/open.ts'

test('Qwen2-Audio: a row for four frames of ten milliseconds', async () => {
  const model = (await hearingModelOf(writeFamily('qwen2Audio')))!
  expect(model).toMatchObject({ family: 'qwen2-audio', windowSecs: 30 })
  // Samples, and the placeholders that Qwen2AudioProcessor wrote for them.
  const counted = [
    [400, 1],
    [640, 1],
    [960, 1],
    [961, 2],
    [1280, 2],
    [1281, 2],
    [16_000, 25],
    [47_999, 75],
    [48_000, 75],
    [480_000, 750],
  ] as const
  for (const [samples, tokens] of counted) expect([samples, model.tokens(samples)]).toEqual([samples, tokens])
  expect([0, 1, 320].map(model.tokens)).toEqual([0, 0, 0])
  expect(model.tokens(321)).toBe(1)
})

test('a model that reads text or sees has none', async () => {
  expect(await hearingModelOf(join(import.meta.dir, '../../../models/tiny-vl'))).toBeUndefined()
})
