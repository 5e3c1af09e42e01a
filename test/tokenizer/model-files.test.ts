// What a model folder says about itself, and how a broken one is refused.
import { expect, test } from 'bun:test'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadTokenizer } from '../../src/tokenizer/hf.ts'
import { readModelFolder } from '../../src/tokenizer/model-files.ts'
import { modelsFolder } from './fixtures.ts'

function folderWith(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), 'model-test-'))
  for (const [name, value] of Object.entries(files))
    writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))
  return folder
}
const lengthOf = async (config: object) => (await readModelFolder(folderWith({ 'config.json': config }))).contextLength

test('the fixture model', async () => {
  const { architecture, contextLength, vocabSize, eosIds } = await readModelFolder(join(modelsFolder, 'tiny-llm'))
  expect({ architecture, contextLength, vocabSize, eosIds }).toEqual({
    architecture: 'Qwen3ForCausalLM',
    contextLength: 8192,
    vocabSize: 1024,
    eosIds: [1012, 1014],
  })
})

test('the context length as SGLang derives it', async () => {
  expect(await lengthOf({ max_position_embeddings: 4096 })).toBe(4096)
  expect(await lengthOf({ max_position_embeddings: 4096, rope_scaling: { factor: 4 } })).toBe(16384)
  expect(await lengthOf({ max_position_embeddings: 4096, rope_scaling: { factor: 4, original_max_position_embeddings: 1024 } })).toBe(4096)
  expect(await lengthOf({ max_position_embeddings: 131072, rope_scaling: { factor: 8, rope_type: 'llama3' } })).toBe(131072)
  expect(await lengthOf({ seq_length: 32768, max_position_embeddings: 4096 })).toBe(32768)
  expect(await lengthOf({ text_config: { max_position_embeddings: 777 }, max_position_embeddings: 1 })).toBe(777)
  expect(await lengthOf({})).toBe(2048)
})

test('a missing folder, a file, a folder without config, broken JSON: each names what was looked for', async () => {
  await expect(readModelFolder('/no/such/model')).rejects.toMatchObject({
    code: 'model_path_not_found',
    message: 'no folder /no/such/model',
  })
  await expect(readModelFolder(join(modelsFolder, 'make.ts'))).rejects.toThrow('is a file')
  await expect(readModelFolder(folderWith({}))).rejects.toMatchObject({ code: 'model_files_invalid' })
  await expect(readModelFolder(folderWith({ 'config.json': '{' }))).rejects.toThrow('config.json is not valid JSON')
})

test('a tokenizer that is missing or broken is refused with what to do', async () => {
  await expect(loadTokenizer(folderWith({}))).rejects.toThrow('supported: Hugging Face tokenizer.json')
  const broken = folderWith({ 'tokenizer.json': { model: { type: 'Nonsense', vocab: {} }, added_tokens: [] } })
  await expect(loadTokenizer(broken)).rejects.toMatchObject({ code: 'model_files_invalid', param: '--model-path' })
  await expect(loadTokenizer(folderWith({ 'tokenizer.json': {} }))).rejects.toMatchObject({ code: 'model_files_invalid' })
})
