// The fixture tokenizers as tokenizer.json: a byte-level BPE as Qwen has it, and a sentencepiece-like BPE with byte fallback as Llama 2 has it.
import { trainBpe } from './bpe-train.ts'
import { corpus } from './corpus.ts'

const special = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
const marks = ['<think>', '</think>', '<tool_call>', '</tool_call>']
const vision = ['<|vision_start|>', '<|vision_end|>', '<|vision_pad|>', '<|image_pad|>', '<|video_pad|>']

export const llmVocabSize = 1024
export const llmEosIds = [llmVocabSize - 12 + 2, llmVocabSize - 12] // <|im_end|>, <|endoftext|>
/** Where the vision tokens stand, from `vision` above: the last five of the vocabulary. */
export const llmVisionIds = { start: llmVocabSize - 5, end: llmVocabSize - 4, image: llmVocabSize - 2, video: llmVocabSize - 1 }

/** Qwen2's split: contractions, words with what stands before them, single digits, punctuation with line ends, white space. */
const split =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** GPT-2's printable stand-in for each byte, in byte order. */
function byteLetters(): string[] {
  let spare = 256
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode((b > 32 && b < 127) || (b > 160 && b < 173) || b > 173 ? b : spare++))
}

export function added(id: number, content: string, isSpecial: boolean) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: isSpecial }
}

/** 1024 tokens: 256 bytes, 756 merges, 12 added ones at the end; `more` special ones behind them. */
export function byteLevelTokenizer(more: readonly string[] = []) {
  const letters = byteLetters()
  const words = corpus.match(/'(?:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu)!
  const symbols = words.map((word) => Array.from(new TextEncoder().encode(word), (b) => letters[b]!))
  const names = [...special, ...marks, ...vision]
  const { vocab, merges } = trainBpe(symbols, letters, 0, llmVocabSize - names.length)
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [...names, ...more].map((name, i) => added(vocab.size + i, name, !marks.includes(name))),
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: split }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  }
}

/** 800 tokens: <unk> <s> </s>, 256 byte tokens, the corpus's characters, merges; ▁ for a space, <s> before every text. */
export function sentencePieceTokenizer() {
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`)
  const head = ['<unk>', '<s>', '</s>', ...bytes]
  const text = corpus.replaceAll('\n', ' ').replaceAll(' ', '▁')
  const words = text.match(/▁?[^▁]+|▁+/gu)!.map((word) => [...word])
  const alphabet = [...new Set(words.flat())].sort()
  const { vocab, merges } = trainBpe(words, alphabet, head.length, 800)
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['<unk>', '<s>', '</s>'].map((name, id) => added(id, name, true)),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: '<s>', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '<s>', type_id: 1 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: { ...Object.fromEntries(head.map((name, id) => [name, id])), ...Object.fromEntries(vocab) },
      merges,
    },
  }
}
