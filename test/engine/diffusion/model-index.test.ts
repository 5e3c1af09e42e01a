import { expect, test } from 'bun:test'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readModelIndex } from '../../../src/engine/diffusion/model-index.ts'

function folder(text?: string): string {
  const path = mkdtempSync(join(tmpdir(), 'model-index-'))
  if (text !== undefined) writeFileSync(join(path, 'model_index.json'), text)
  return path
}

function refusal(path: string) {
  try {
    readModelIndex(path)
  } catch (error) {
    return error as { code: string; message: string; param: string }
  }
}

test('the pipeline and its parts; no config.json is needed', () => {
  const { pipeline, parts } = readModelIndex('models/tiny-FLUX.1-dev')
  expect(pipeline).toBe('FluxPipeline')
  expect(parts.sort()).toEqual(['scheduler', 'text_encoder', 'text_encoder_2', 'tokenizer', 'tokenizer_2', 'transformer', 'vae'])
})

test('parts that are not there are not listed', () => {
  const index = { _class_name: 'XPipeline', vae: ['diffusers', 'V'], image_encoder: [null, null], boundary_ratio: 0.9 }
  expect(readModelIndex(folder(JSON.stringify(index))).parts).toEqual(['vae'])
})

test('what is wrong names the file that was looked for', () => {
  expect(refusal('/no/such/model')).toMatchObject({ code: 'model_path_not_found', param: '--model-path' })
  expect(refusal('/no/such/model')!.message).toContain('/no/such/model/model_index.json')
  const empty = folder()
  expect(refusal(empty)).toMatchObject({ code: 'model_files_invalid' })
  expect(refusal(empty)!.message).toContain(`${empty}/model_index.json is missing`)
  expect(refusal(folder('{'))!.message).toContain('cannot be read as JSON')
  for (const text of ['{}', 'null', '[]', '{"_class_name": 3}']) expect(refusal(folder(text))!.message).toContain('has no _class_name')
})
