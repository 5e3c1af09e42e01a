// Tokenizers of the fixture families: those of the text fixtures, with the special tokens in the order in which the published models have them.
import { added, byteLevelTokenizer, llmVocabSize, sentencePieceTokenizer } from '../tokenizers.ts'

/** Of sentencepiece's fixture, before the added ones. */
const pieces = 800

export interface FamilyTokenizer {
  /** tokenizer.json. */
  tokenizer: unknown
  /** By their texts. */
  ids: Readonly<Record<string, number>>
  vocabSize: number
}

function behind(first: number, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, first + i]))
}

/** Byte-level, as Qwen's and Llama 4's are: `more` special tokens behind the fixture's own. */
export function byteLevelWith(more: readonly string[]): FamilyTokenizer {
  const tokenizer = byteLevelTokenizer(more)
  const ids = Object.fromEntries(tokenizer.added_tokens.map(({ content, id }) => [content, id]))
  return { tokenizer, ids, vocabSize: llmVocabSize + 32 }
}

/** The first word has a ▁ in front and no other: so a decoded prompt reads as the same ids again, as SGLang's own server needs it. */
const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false }

/** Llama 2's, with `more` special tokens behind (LLaVA 1.5: <image> is 32,000). */
export function llamaWith(more: readonly string[]): FamilyTokenizer {
  const tokenizer = sentencePieceTokenizer()
  const ids = behind(pieces, more)
  tokenizer.added_tokens.push(...more.map((name) => added(ids[name]!, name, true)))
  return {
    tokenizer: { ...tokenizer, normalizer: null, pre_tokenizer: metaspace },
    ids: { '<unk>': 0, '<s>': 1, '</s>': 2, ...ids },
    vocabSize: pieces + 32,
  }
}

const lineEnds = ['\n', '\n\n', '\n\n\n', '\n\n\n\n', '\n\n\n\n\n']

/** Gemma's: nothing before the first word, <bos> before every text, and runs of line ends that are one token each. */
export function gemmaWith(more: readonly string[]): FamilyTokenizer {
  const base = sentencePieceTokenizer()
  // <unk> <s> </s> of Llama stand where Gemma has <pad> <eos> <bos>; <unk> comes behind.
  const head = ['<pad>', '<eos>', '<bos>']
  const old = ['<unk>', '<s>', '</s>']
  const vocab: Record<string, number> = {}
  for (const [piece, id] of Object.entries(base.model.vocab as Record<string, number>)) vocab[old.includes(piece) ? head[id]! : piece] = id
  const names = ['<unk>', ...lineEnds, ...more]
  const ids = behind(pieces, names)
  vocab['<unk>'] = ids['<unk>']!
  const bos = { SpecialToken: { id: '<bos>', type_id: 0 } }
  const tokenizer = {
    ...base,
    added_tokens: [
      ...head.map((name, id) => added(id, name, true)),
      ...names.map((name) => added(ids[name]!, name, !lineEnds.includes(name))),
    ],
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
    post_processor: {
      type: 'TemplateProcessing',
      single: [bos, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [bos, { Sequence: { id: 'A', type_id: 0 } }, bos, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<bos>': { id: '<bos>', ids: [2], tokens: ['<bos>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }],
    },
    model: { ...base.model, vocab },
  }
  return { tokenizer, ids: { '<pad>': 0, '<eos>': 1, '<bos>': 2, ...ids }, vocabSize: pieces + 32 }
}
