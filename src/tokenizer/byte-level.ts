// Encodes text without added tokens by byte-level BPE, synchronously: split into words, look each up in a bounded word cache, merge the
// unknown ones. The native encoder is the twin in tests.
import { type Merges, merge, mergeSteps } from './bpe.ts'
import type { PieceEncoder } from './bpe-model.ts'
import { flat, generationCache } from './cache.ts'
import { append, type IdBuffer, reserve } from './id-buffer.ts'
import { pausingSplit, splitBy } from './split-patterns.ts'

export interface ByteLevelParts {
  /** Applied one after the other. */
  splits: readonly RegExp[]
  /** Byte → id of its one-byte token. */
  byteIds: Uint32Array
  merges: Merges
  /** Present for `ignore_merges`: a word that is a token stands for itself, whatever the merges say. */
  wholeWord: ((bytes: Uint8Array) => number | undefined) | undefined
  cacheBytes: number
}

/** Longer words are seldom seen again. */
const maxCachedWord = 32

/** Longer ones are merged with pauses when the caller can wait. */
const longWord = 2048

export function byteLevelEncoder(parts: ByteLevelParts): PieceEncoder {
  const cache = generationCache<Uint32Array | number>(parts.cacheBytes)
  const utf8 = new TextEncoder()
  let bytes = new Uint8Array(1024)
  let symbols = new Uint32Array(1024)

  function encodeWord(word: string, out: IdBuffer): void {
    if (word.length * 3 > bytes.length) {
      bytes = new Uint8Array(word.length * 4)
      symbols = new Uint32Array(word.length * 4)
    }
    const size = utf8.encodeInto(word, bytes).written
    const whole = parts.wholeWord?.(bytes.subarray(0, size))
    let count = 1
    if (whole === undefined) {
      for (let i = 0; i < size; i++) symbols[i] = parts.byteIds[bytes[i]!]!
      count = merge(symbols, size, parts.merges)
    } else symbols[0] = whole
    append(out, symbols.subarray(0, count))
    if (word.length <= maxCachedWord)
      cache.set(flat(word), count === 1 ? symbols[0]! : symbols.slice(0, count), 96 + word.length + count * 4)
  }

  function words(text: string, split: number, out: IdBuffer): void {
    const list = splitBy(parts.splits[split]!, text)
    if (split + 1 < parts.splits.length) {
      for (let i = 0; i < list.length; i++) words(list[i]!, split + 1, out)
      return
    }
    reserve(out, list.length)
    for (let i = 0; i < list.length; i++) {
      const word = list[i]!
      const known = cache.get(word)
      if (known === undefined) encodeWord(word, out)
      else if (typeof known === 'number') {
        if (out.length === out.ids.length) reserve(out, 1)
        out.ids[out.length++] = known
      } else append(out, known)
    }
  }

  function* longWordSteps(word: string, out: IdBuffer): Generator<void> {
    // Own arrays: other texts are encoded in the pauses.
    const encoded = utf8.encode(word)
    const own = new Uint32Array(encoded.length)
    for (let i = 0; i < encoded.length; i++) own[i] = parts.byteIds[encoded[i]!]!
    append(out, own.subarray(0, yield* mergeSteps(own, own.length, parts.merges)))
  }

  function* steps(text: string, split: number, out: IdBuffer): Generator<void> {
    for (const word of pausingSplit(parts.splits[split]!, text)) {
      if (split + 1 < parts.splits.length) yield* steps(word, split + 1, out)
      else if (word.length >= longWord) yield* longWordSteps(word, out)
      else {
        const known = cache.get(word)
        if (known === undefined) encodeWord(word, out)
        else append(out, typeof known === 'number' ? [known] : known)
      }
      yield
    }
  }

  return {
    encodePiece: (text, out) => words(text, 0, out),
    encodeSteps: (text, out) => steps(text, 0, out),
  }
}
