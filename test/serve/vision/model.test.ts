// Which models can have their pictures encoded apart, and what is known of their rows.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { visionModelOf } from '../../../src/media/vision/open.ts'
import type { VisionModel } from '../../../src/media/vision/vision.ts'
import { seeingModel } from '../../../src/serve/vision/model.ts'
import { readModelFolder } from '../../../src/tokenizer/model-files.ts'

const models = join(import.meta.dir, '../../../models')

async function fixture(name: string) {
  const folder = join(models, name)
  const { config } = await readModelFolder(folder)
  return seeingModel({ names: ['m'], path: folder, folder, config, sight: await visionModelOf(folder) }, '--dedicated-mm-encoder')
}

test('rows are as wide as the language model reads them, deepstack’s levels included', async () => {
  expect(await fixture('tiny-vl')).toMatchObject({ dim: 64, patchesPerRow: 4 })
  const { dim, sight } = await fixture('tiny-vl3')
  expect(sight.family).toBe('qwen3_vl')
  expect(dim).toBeGreaterThan(64)
  expect(dim % 64).toBe(0)
})

test('the same files have the same sum wherever they lie', async () => {
  const [one, other] = [await fixture('tiny-vl'), await fixture('tiny-vl3')]
  expect((await fixture('tiny-vl')).config).toBe(one.config)
  expect(other.config).not.toBe(one.config)
})

test.each(['llava', 'internvl', 'gemma3', 'llama4'])('%s: refused, with the reason and what to do', (family) => {
  const parts = { names: ['m'], path: 'm', folder: 'm', config: { model_type: family, hidden_size: 64 } }
  const make = () => seeingModel({ ...parts, sight: { family } as VisionModel }, '--dedicated-mm-encoder')
  expect(make).toThrow(/--dedicated-mm-encoder: SGLang's split .* does not take .* the engine encodes the pictures itself/)
})

test('a text model is refused', () => {
  const parts = { names: ['m'], path: '/models/m', folder: 'm', config: {}, sight: undefined }
  expect(() => seeingModel(parts, '--multimodal-worker')).toThrow('--multimodal-worker: /models/m takes no pictures')
})
