// Encodes sentencepiece-style BPE (Llama 2, Mistral, Gemma): no pre-tokenizer, ▁ for a space, <0xNN> tokens for characters that the
// vocabulary lacks. The native encoder is the twin in tests.

import { flat } from '../../lib/flat.ts'
import { partsOf, type TokenizerJson } from '../tokenizer-json.ts'
import { type Merges, merge, mergeSteps, mergeTable } from './bpe.ts'
import { isPlainBpe, mergeIds, type PieceEncoder, type TextPlan } from './bpe-model.ts'
import { append, type IdBuffer } from './id-buffer.ts'
import { isAsciiLetter, sentencePieceEnd } from './pieces.ts'
import { wordCache } from './word-cache.ts'

const maxCachedWord = 32

/** Where a new word begins, whatever the merges say. */
type Border = 'letter▁' | '▁'

export function sentencePiecePlan(json: TokenizerJson, vocab: ReadonlyMap<string, number>, cacheBytes: number): TextPlan | undefined {
  const normalize = normalizerOf(json)
  const preTokenizer = preTokenizerOf(json)
  const { model } = json
  if (!normalize || !preTokenizer || !model.byte_fallback || model.ignore_merges || !isPlainBpe(json)) return undefined
  const bytes = Array.from({ length: 256 }, (_, b) => vocab.get(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`))
  if (bytes.some((id) => id === undefined)) return undefined // then <unk> comes in, with rules of its own
  // A merge may span what we take for a border.
  if (preTokenizer.border === 'letter▁') for (const token of vocab.keys()) if (/[a-zA-Z]▁/.test(token)) return undefined
  return {
    normalize,
    preTokenize: preTokenizer.apply,
    pieceEnd: sentencePieceEnd,
    ...wordEncoder(vocab, bytes as number[], mergeTable(mergeIds(json, vocab)), preTokenizer.border, cacheBytes),
  }
}

/** Longer ones are merged with pauses when the caller can wait. */
const longWord = 2048

function wordEncoder(
  vocab: ReadonlyMap<string, number>,
  bytes: number[],
  merges: Merges,
  border: Border,
  cacheBytes: number,
): PieceEncoder {
  const wordEnd = border === '▁' ? everyMarkEnd : letterMarkEnd
  const cache = wordCache(cacheBytes)
  const utf8 = new TextEncoder()
  let scratch = new Uint32Array(1024)

  /** The first ids of a word: its characters, or their bytes. Returns how many. */
  function fill(symbols: Uint32Array, word: string): number {
    let count = 0
    for (const character of word) {
      const id = vocab.get(character)
      if (id !== undefined) symbols[count++] = id
      else for (const byte of utf8.encode(character)) symbols[count++] = bytes[byte]!
    }
    return count
  }

  function encodeWord(word: string, out: IdBuffer): void {
    if (cache.append(word, out)) return
    if (word.length * 3 > scratch.length) scratch = new Uint32Array(word.length * 4)
    const count = merge(scratch, fill(scratch, word), merges)
    append(out, scratch.subarray(0, count))
    if (word.length <= maxCachedWord) cache.set(flat(word), scratch, count)
  }

  return {
    encodePiece(text, out) {
      for (let start = 0, end = 0; start < text.length; start = end) {
        end = wordEnd(text, start)
        encodeWord(text.slice(start, end), out)
      }
    },
    *encodeSteps(text, out) {
      for (let start = 0, end = 0; start < text.length; start = end) {
        end = wordEnd(text, start)
        const word = text.slice(start, end)
        if (word.length < longWord) encodeWord(word, out)
        else {
          const own = new Uint32Array(word.length * 3) // its own array: other texts are encoded in the pauses
          append(out, own.subarray(0, yield* mergeSteps(own, fill(own, word), merges)))
        }
        yield
      }
    },
  }
}

/** Where the word at `from` ends: at the next ▁ that follows an ASCII letter, or with the text. */
function letterMarkEnd(text: string, from: number): number {
  for (let at = text.indexOf('▁', from + 1); at >= 0; at = text.indexOf('▁', at + 1)) if (isAsciiLetter(text.charCodeAt(at - 1))) return at
  return text.length
}

function everyMarkEnd(text: string, from: number): number {
  const at = text.indexOf('▁', from + 1)
  return at < 0 ? text.length : at
}

/** Prepend and Replace with plain strings, in their order: what these models use. */
function normalizerOf(json: TokenizerJson): ((text: string) => string) | undefined {
  const steps: ((text: string) => string)[] = []
  for (const part of partsOf(json.normalizer, 'normalizers')) {
    const pattern = (part.pattern as { String?: string } | undefined)?.String
    if (part.type === 'Prepend') steps.push((text) => (text === '' ? text : (part.prepend as string) + text))
    else if (part.type === 'Replace' && pattern) steps.push((text) => text.replaceAll(pattern, () => part.content as string))
    else return undefined
  }
  return (text) => steps.reduce((current, step) => step(current), text)
}

/** No pre-tokenizer, a split at spaces that the normalizer has already replaced (Gemma), or Metaspace (newer Llama and Mistral files). */
function preTokenizerOf(json: TokenizerJson): { apply(text: string, atStart: boolean): string; border: Border } | undefined {
  const part = json.pre_tokenizer
  const same = { apply: (text: string) => text, border: 'letter▁' as const }
  if (!part) return same
  const spacesGone = partsOf(json.normalizer, 'normalizers').some(
    ({ type, pattern, content }) => type === 'Replace' && (pattern as { String?: string }).String === ' ' && content === '▁',
  )
  if (part.type === 'Split' && (part.pattern as { String?: string }).String === ' ' && spacesGone) return same
  if (part.type !== 'Metaspace' || part.replacement !== '▁') return undefined
  const scheme = part.prepend_scheme ?? (part.add_prefix_space === false ? 'never' : 'always')
  const apply = (text: string, atStart: boolean) => {
    const marked = text.replaceAll(' ', '▁')
    return (scheme === 'always' || (scheme === 'first' && atStart)) && !marked.startsWith('▁') ? `▁${marked}` : marked
  }
  return { apply, border: part.split === false ? 'letter▁' : '▁' }
}
