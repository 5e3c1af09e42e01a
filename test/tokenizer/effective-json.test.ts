// tokenizer_config.json changes what tokenizer.json says, as transformers 5 does it.
import { expect, test } from 'bun:test'
import { effectiveJson } from '../../src/tokenizer/effective-json.ts'
import { makeTokenizer } from '../../src/tokenizer/hf.ts'
import { fixtureJson } from './fixtures.ts'

const sp = fixtureJson('tiny-sp')
const names = { bos_token: '<s>', eos_token: { content: '</s>' } }

test('add_bos_token and add_eos_token decide what is put around a text', async () => {
  const around = async (config: object) => {
    const tokenizer = await makeTokenizer(effectiveJson(sp, { ...names, ...config }))
    const [plain, special] = [await tokenizer.encode('a', false), await tokenizer.encode('a', true)]
    return [...special].map((id) => (plain.includes(id) ? 'a' : id))
  }
  expect(await around({})).toEqual([1, 'a']) // the file's own post-processor
  expect(await around({ add_bos_token: true, add_eos_token: true })).toEqual([1, 'a', 2])
  expect(await around({ add_bos_token: false })).toEqual(['a'])
  expect(await around({ add_eos_token: true })).toEqual(['a', 2])
})

test('a special token that only the config names is matched and skipped', async () => {
  const tokenizer = await makeTokenizer(effectiveJson(sp, { pad_token: '<pad>', additional_special_tokens: ['<tool>', '<s>'] }))
  const [pad, tool] = [tokenizer.tokenToId('<pad>')!, tokenizer.tokenToId('<tool>')!]
  expect([pad, tool]).toEqual([800, 801])
  const ids = await tokenizer.encode('<tool>a<pad>', false)
  expect([ids[0], ids.at(-1)]).toEqual([tool, pad])
  expect(tokenizer.decode(ids, true)).toBe('a')
  expect(tokenizer.vocabSize).toBe(802)
})
