// What our own encoder needs to know of one tokenizer.json, or undefined where the file has something we do not do ourselves:
// then the native library encodes. Everything is recognised by its exact structure, never by a model's name.

import { byteLetters, type PartJson, partsOf, type TokenizerJson } from '../tokenizer-json.ts'
import { type AddedFinder, addedFinder } from './added-tokens.ts'
import { mergeTable } from './bpe.ts'
import { isPlainBpe, mergeIds, type TextPlan } from './bpe-model.ts'
import { byteLevelEncoder } from './byte-level.ts'
import { byteLevelPieceEnd } from './pieces.ts'
import { sentencePiecePlan } from './sentencepiece.ts'
import { gpt2Pattern, splitRegex } from './split-patterns.ts'
import { nfc } from './unicode.ts'

export interface EncodePlan extends TextPlan {
  /** Added tokens that match in the text as it is, and those that match after normalization. */
  rawAdded: AddedFinder
  normalizedAdded: AddedFinder
  /** What the post-processor puts around a text. */
  before: readonly number[]
  after: readonly number[]
}

/** @param wordCacheBytes bound of the word cache */
export function encodePlan(json: TokenizerJson, vocab: ReadonlyMap<string, number>, wordCacheBytes: number): EncodePlan | undefined {
  const around = postProcessor(json.post_processor)
  const added = json.added_tokens ?? []
  if (!around || added.some((token) => token.single_word)) return undefined
  const text = byteLevelPlan(json, vocab, wordCacheBytes) ?? sentencePiecePlan(json, vocab, wordCacheBytes)
  if (!text) return undefined
  const normalized = added.filter((token) => token.normalized).map((token) => ({ ...token, content: text.normalize(token.content) }))
  return {
    ...text,
    ...around,
    rawAdded: addedFinder(added.filter((token) => !token.normalized)),
    normalizedAdded: addedFinder(normalized),
  }
}

function byteLevelPlan(json: TokenizerJson, vocab: ReadonlyMap<string, number>, cacheBytes: number): TextPlan | undefined {
  const normalizers = partsOf(json.normalizer, 'normalizers')
  const splits = splitsOf(json.pre_tokenizer)
  const { model } = json
  if (!splits || model.byte_fallback || !isPlainBpe(json) || normalizers.some((part) => part.type !== 'NFC')) return undefined
  const byteIds = byteLetters.map((letter) => vocab.get(letter))
  if (byteIds.some((id) => id === undefined)) return undefined // the native encoder drops such bytes
  return {
    normalize: normalizers.length > 0 ? nfc : (text) => text,
    pieceEnd: byteLevelPieceEnd,
    ...byteLevelEncoder({
      splits,
      byteIds: Uint32Array.from(byteIds as number[]),
      merges: mergeTable(mergeIds(json, vocab)),
      wholeWord: model.ignore_merges ? wholeWordLookup(vocab) : undefined,
      cacheBytes,
    }),
  }
}

function splitsOf(part: PartJson | null): RegExp[] | undefined {
  const parts = partsOf(part, 'pretokenizers')
  const last = parts.pop()
  if (last?.type !== 'ByteLevel' || last.add_prefix_space !== false) return undefined
  const patterns = parts.map((split) => {
    if (split.type !== 'Split' || split.behavior !== 'Isolated' || split.invert) return undefined
    const regex = (split.pattern as { Regex?: string }).Regex
    return regex === undefined ? undefined : splitRegex(regex)
  })
  if (last.use_regex !== false) patterns.push(splitRegex(gpt2Pattern))
  return patterns.length > 0 && patterns.every((regex) => regex !== undefined) ? patterns : undefined
}

const letterCodes = Uint16Array.from(byteLetters, (letter) => letter.charCodeAt(0))

function wholeWordLookup(vocab: ReadonlyMap<string, number>): (bytes: Uint8Array) => number | undefined {
  let longest = 0
  for (const token of vocab.keys()) if (token.length > longest) longest = token.length
  const codes = new Uint16Array(longest)
  return (bytes) => {
    const { length } = bytes
    if (length > longest) return undefined
    for (let i = 0; i < length; i++) codes[i] = letterCodes[bytes[i]!]!
    return vocab.get(String.fromCharCode.apply(null, codes.subarray(0, length) as unknown as number[]))
  }
}

/** Ids before and after a single text, or undefined for a post-processor that we do not know. */
function postProcessor(part: PartJson | null): { before: number[]; after: number[] } | undefined {
  let [before, after] = [[] as number[], [] as number[]]
  for (const step of partsOf(part, 'processors')) {
    if (step.type === 'ByteLevel') continue
    if (step.type === 'RobertaProcessing' || step.type === 'BertProcessing') {
      before = [(step.cls as [string, number])[1], ...before]
      after = [...after, (step.sep as [string, number])[1]]
      continue
    }
    if (step.type !== 'TemplateProcessing') return undefined
    const specials = step.special_tokens as Record<string, { ids: number[] }>
    let seen = false
    const [left, right] = [[] as number[], [] as number[]]
    for (const item of step.single as ({ SpecialToken: { id: string } } | { Sequence: { id: string } })[]) {
      if ('Sequence' in item) {
        if (seen) return undefined
        seen = true
      } else (seen ? right : left).push(...(specials[item.SpecialToken.id]?.ids ?? []))
    }
    if (!seen) return undefined
    before = [...left, ...before]
    after = [...after, ...right]
  }
  return { before, after }
}
