// Vision models out of folders: every spelling of the limits that is about, and what is refused.
import { expect, test } from 'bun:test'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { visionModelOf } from '../../../src/media/vision/open.ts'

function folder(files: Record<string, unknown>): string {
  const path = mkdtempSync(join(tmpdir(), 'vision-model-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), JSON.stringify(content))
  return path
}

const qwen = { model_type: 'qwen2_5_vl', image_token_id: 5, video_token_id: 6, vision_config: { patch_size: 14 } }
const pixels = async (files: Record<string, unknown>) => {
  const model = (await visionModelOf(folder({ 'config.json': qwen, ...files })))!
  const of = (side: number) => model.plan(side, side, 'image').resized[0]
  return [of(1), of(10_000)]
}

test.each([
  ['min_pixels and max_pixels', { min_pixels: 28 * 28, max_pixels: 60 * 60 }],
  ['edges that are numbers of pixels', { size: { shortest_edge: 28 * 28, longest_edge: 60 * 60 } }],
  ['both in size', { size: { min_pixels: 28 * 28, max_pixels: 60 * 60 } }],
  ['the top wins', { min_pixels: 28 * 28, max_pixels: 60 * 60, size: { shortest_edge: 1, longest_edge: 9e6 } }],
])('limits: %s', async (_, processor) => {
  expect(await pixels({ 'preprocessor_config.json': processor })).toEqual([28, 56])
  // transformers 5 keeps it inside the processor's file.
  expect(await pixels({ 'processor_config.json': { image_processor: processor } })).toEqual([28, 56])
})

test('without a file: what the processor has by itself', async () => {
  expect(await pixels({})).toEqual([56, 980])
})

test('ids of special tokens come from the tokenizer', async () => {
  const added = { '7': { content: '<img>' }, '8': { content: '</img>' }, '9': { content: '<IMG_CONTEXT>' } }
  const config = { model_type: 'internvl_chat', vision_config: { image_size: 448, patch_size: 14 } }
  const model = (await visionModelOf(folder({ 'config.json': config, 'tokenizer_config.json': { added_tokens_decoder: added } })))!
  expect([model.family, model.imageTokenId, ...model.expand({ resized: [1, 1], grid: [1, 1, 2], tokens: 2 })]).toEqual([
    'internvl',
    9,
    7,
    9,
    9,
    8,
  ])
  const tokenizer = { added_tokens: [{ content: '<IMG_CONTEXT>', id: 12 }] }
  expect((await visionModelOf(folder({ 'config.json': config, 'tokenizer.json': tokenizer })))!.imageTokenId).toBe(12)
})

test('a text model is none', async () => {
  expect(await visionModelOf(folder({ 'config.json': { model_type: 'qwen3' } }))).toBeUndefined()
})

test('a model that sees, of a family that is not known: refused with the list', () => {
  const path = folder({ 'config.json': { model_type: 'pixtral', vision_config: {} } })
  expect(visionModelOf(path)).rejects.toMatchObject({
    code: 'model_files_invalid',
    message: `${join(path, 'config.json')} has model_type 'pixtral', whose pictures cannot be prepared here; known: qwen2_vl, qwen2_5_vl, qwen3_vl, qwen3_vl_moe, qwen3_5, qwen3_5_moe, llava, llava_llama, gemma3, internvl_chat, interns1, llama4`,
  })
})

test('no folder, or none with a config.json: said as such', () => {
  expect(visionModelOf('/nowhere')).rejects.toMatchObject({ code: 'model_path_not_found' })
  expect(visionModelOf(folder({}))).rejects.toMatchObject({ code: 'model_files_invalid' })
})
