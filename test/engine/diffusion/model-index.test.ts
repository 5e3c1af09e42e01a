import { describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkWeights, readModelIndex } from '../../../src/engine/diffusion/model-index.ts'

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

describe('weights', () => {
  const names = ['transformer', 'transformer_2', 'text_encoder', 'vae', 'tokenizer', 'scheduler', 'image_processor', 'guider']
  const index = JSON.stringify({ _class_name: 'XPipeline', ...Object.fromEntries(names.map((name) => [name, ['diffusers', 'X']])) })
  /** A model with these files, each empty. */
  function model(...files: string[]): string {
    const path = folder(index)
    for (const name of names) mkdirSync(join(path, name))
    for (const file of files) writeFileSync(join(path, file), '')
    return path
  }
  function lacking(path: string, args: string[] = []): string | undefined {
    try {
      checkWeights(path, readModelIndex(path), args)
    } catch (error) {
      expect(error).toMatchObject({ code: 'model_files_invalid', param: '--model-path' })
      return /for (.*), which/.exec((error as Error).message)![1]
    }
  }
  const some = ['transformer/a-00001-of-00002.safetensors', 'text_encoder/pytorch_model.bin', 'vae/x.safetensors.index.json']

  test('the parts that lack them are named; what has none is not', () => {
    expect(lacking(model())).toBe('transformer, transformer_2, text_encoder, vae')
    expect(lacking(model(...some))).toBe('transformer_2')
    expect(lacking(model(...some, 'transformer_2/config.json'))).toBe('transformer_2')
    expect(lacking(model(...some, 'transformer_2/model.safetensors'))).toBeUndefined()
  })

  test('a part that SGLang is told to take from elsewhere is not looked for', () => {
    expect(lacking(model(...some), ['--transformer-2-path', '/x'])).toBeUndefined()
    expect(lacking(model(...some), ['--transformer-path', '/x'])).toBe('transformer_2')
    expect(lacking(model(), ['--component-paths', '{}'])).toBeUndefined()
  })

  test('a link to a file that is gone is none', () => {
    const path = model(...some)
    symlinkSync('/no/such/blob', join(path, 'transformer_2/model.safetensors'))
    expect(lacking(path)).toBe('transformer_2')
  })

  test('beside the script that makes fixtures, its command is told', () => {
    const path = join(model(), 'tiny')
    mkdirSync(path)
    writeFileSync(join(path, 'model_index.json'), index)
    expect(() => checkWeights(path, readModelIndex(path))).toThrow('Copy or download')
    writeFileSync(join(path, '../make.ts'), '')
    expect(() => checkWeights(path, readModelIndex(path))).toThrow('bun run models --weights')
  })
})
