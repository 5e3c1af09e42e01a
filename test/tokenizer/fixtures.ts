// Tokenizers for the tests: the fixture models, and variants of them that stand for the other families.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { effectiveJson } from '../../src/tokenizer/effective-json.ts'
import { gpt2Pattern, splitFamilies } from '../../src/tokenizer/encode/split-patterns.ts'
import type { AddedTokenJson, PartJson, TokenizerJson } from '../../src/tokenizer/tokenizer-json.ts'

export const modelsFolder = join(import.meta.dir, '../../models')

export function fixtureJson(model: string): TokenizerJson {
  const read = (file: string) => JSON.parse(readFileSync(join(modelsFolder, model, file), 'utf8'))
  return effectiveJson(read('tokenizer.json'), read('tokenizer_config.json'))
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }

function splitSequence(patterns: readonly string[]): PartJson {
  if (patterns.length === 1 && patterns[0] === gpt2Pattern) return { ...byteLevel, use_regex: true }
  const splits = patterns.map((Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }))
  return { type: 'Sequence', pretokenizers: [...splits, byteLevel] }
}

function withAdded(json: TokenizerJson, flags: Record<string, Partial<AddedTokenJson>>): TokenizerJson {
  const base = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false }
  let id = Math.max(...json.added_tokens!.map((token) => token.id), Object.keys(json.model.vocab).length - 1)
  const more = Object.entries(flags).map(([content, flag]) => ({
    ...base,
    ...flag,
    content,
    id: (json.model.vocab as Record<string, number>)[content] ?? ++id, // as the native library numbers them
  }))
  return { ...json, added_tokens: [...json.added_tokens!, ...more] }
}

const llm = fixtureJson('tiny-llm')
const sp = fixtureJson('tiny-sp')
const spDecoder = (json: TokenizerJson, count: number) => ({
  ...json,
  decoder: { type: 'Sequence', decoders: (sp.decoder!.decoders as PartJson[]).slice(0, count) },
})
const gemma = (json: TokenizerJson) => ({ ...json, normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' } })

/** Name → tokenizer.json. `own` ones are encoded by our own encoder, the others by the native library. */
export const ownTokenizers: Record<string, TokenizerJson> = {
  'tiny-llm': llm,
  'tiny-sp': sp,
  'tiny-sp without prefix (Gemma)': gemma(spDecoder(sp, 3)),
  ...Object.fromEntries(
    Object.entries(splitFamilies).map(([name, patterns]) => [name, { ...llm, normalizer: null, pre_tokenizer: splitSequence(patterns) }]),
  ),
  'o200k, whole words first': { ...llm, pre_tokenizer: splitSequence(splitFamilies.o200k!), model: { ...llm.model, ignore_merges: true } },
  'added tokens that strip': withAdded(llm, {
    '<mask>': { lstrip: true, special: true },
    '[X]': { rstrip: true },
    '<|im_start|>user': {},
    'é~': { normalized: true },
    日本: { normalized: true, special: true },
  }),
}

const metaspace = (prepend_scheme: string, split: boolean) => {
  const part = { type: 'Metaspace', replacement: '▁', prepend_scheme, split }
  return { ...sp, normalizer: null, pre_tokenizer: part, decoder: part }
}

for (const scheme of ['first', 'always', 'never'])
  for (const split of [true, false]) ownTokenizers[`Metaspace ${scheme}${split ? ', split' : ''}`] = metaspace(scheme, split)
ownTokenizers['Gemma, with its split'] = {
  ...gemma(sp),
  pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
}
ownTokenizers['Metaspace, added tokens'] = withAdded(metaspace('first', true), { 'é~': { normalized: true }, '[X]': { rstrip: true } })

export const nativeTokenizers: Record<string, TokenizerJson> = {
  'unknown pattern': { ...llm, pre_tokenizer: splitSequence(['\\w+|\\W']) },
  // As XLM-R and T5 have it.
  unigram: {
    ...sp,
    normalizer: null,
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    model: {
      type: 'Unigram',
      unk_id: 0,
      byte_fallback: false,
      vocab: Object.entries(sp.model.vocab as Record<string, number>)
        .sort((a, b) => a[1] - b[1])
        .map(([name, id]): [string, number] => [name, -id / 100]),
    } as TokenizerJson['model'],
  },
  // As BERT and the embedding models after it have it.
  wordpiece: {
    ...sp,
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '<unk>',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(
        ['<unk>', '<s>', '</s>', ...'abcdefghijklmnopqrstuvwxyz'.split('').flatMap((c) => [c, `##${c}`]), 'the', 'story'].map(
          (name, id) => [name, id],
        ),
      ),
    } as TokenizerJson['model'],
  },
  'single words': withAdded(llm, { word: { single_word: true } }),
}

/** Decoders by structure; each with the side that shall do it. */
export const decoderTokenizers: Record<string, { json: TokenizerJson; decoder: 'byte-level' | 'sentencepiece' | 'native' }> = {
  'byte-level': { json: llm, decoder: 'byte-level' },
  'byte-level, odd added tokens': {
    json: withAdded(llm, { 'a b': {}, é: { special: true }, '<｜end▁｜>': { special: true } }),
    decoder: 'byte-level',
  },
  'sentencepiece, first space dropped': { json: sp, decoder: 'sentencepiece' },
  'sentencepiece, spaces kept': { json: spDecoder(sp, 3), decoder: 'sentencepiece' },
  metaspace: { json: metaspace('first', true), decoder: 'sentencepiece' },
  'metaspace without prefix': { json: metaspace('never', true), decoder: 'sentencepiece' },
  WordPiece: { json: { ...sp, decoder: { type: 'WordPiece', prefix: '##', cleanup: true } }, decoder: 'native' },
  unigram: { json: nativeTokenizers.unigram!, decoder: 'sentencepiece' },
  'WordPiece model': { json: nativeTokenizers.wordpiece!, decoder: 'native' },
  'no decoder': { json: { ...sp, decoder: null }, decoder: 'native' },
}
