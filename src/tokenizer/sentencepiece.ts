// Encodes sentencepiece-style BPE (Llama 2, Mistral, Gemma): no pre-tokenizer, ▁ for a space, <0xNN> tokens for characters that the
// vocabulary lacks. The native encoder is the twin in tests.
import { type Merges, merge, mergeTable } from './bpe.ts'
import { isPlainBpe, mergeIds, type TextPlan } from './bpe-model.ts'
import { flat, generationCache } from './cache.ts'
import { append, type IdBuffer } from './id-buffer.ts'
import { isAsciiLetter, sentencePieceEnd } from './pieces.ts'
import { partsOf, type TokenizerJson } from './tokenizer-json.ts'

const maxCachedWord = 32

export function sentencePiecePlan(json: TokenizerJson, vocab: ReadonlyMap<string, number>, cacheBytes: number): TextPlan | undefined {
  const normalize = normalizerOf(json)
  const { model } = json
  if (!normalize || json.pre_tokenizer !== null || !model.byte_fallback || model.ignore_merges || !isPlainBpe(json)) return undefined
  const bytes = Array.from({ length: 256 }, (_, b) => vocab.get(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`))
  if (bytes.some((id) => id === undefined)) return undefined // then <unk> comes in, with rules of its own
  for (const token of vocab.keys()) if (/[a-zA-Z]▁/.test(token)) return undefined // a merge may span what we take for a border
  return {
    normalize,
    pieceEnd: sentencePieceEnd,
    encodePiece: wordEncoder(vocab, bytes as number[], mergeTable(mergeIds(json, vocab)), cacheBytes),
  }
}

function wordEncoder(vocab: ReadonlyMap<string, number>, bytes: number[], merges: Merges, cacheBytes: number) {
  const cache = generationCache<Uint32Array>(cacheBytes)
  const utf8 = new TextEncoder()
  let symbols = new Uint32Array(1024)
  return (text: string, out: IdBuffer): void => {
    for (let start = 0, end = 0; start < text.length; start = end) {
      end = wordEnd(text, start)
      const part = text.slice(start, end)
      const known = cache.get(part)
      if (known) {
        append(out, known)
        continue
      }
      if (part.length * 3 > symbols.length) symbols = new Uint32Array(part.length * 4)
      let count = 0
      for (const character of part) {
        const id = vocab.get(character)
        if (id !== undefined) symbols[count++] = id
        else for (const byte of utf8.encode(character)) symbols[count++] = bytes[byte]!
      }
      const ids = symbols.slice(0, merge(symbols, count, merges))
      append(out, ids)
      if (part.length <= maxCachedWord) cache.set(flat(part), ids, 160 + part.length + ids.length * 4)
    }
  }
}

/** Where the word at `from` ends: at the next ▁ that follows an ASCII letter, or with the text. */
function wordEnd(text: string, from: number): number {
  for (let at = text.indexOf('▁', from + 1); at >= 0; at = text.indexOf('▁', at + 1)) if (isAsciiLetter(text.charCodeAt(at - 1))) return at
  return text.length
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
