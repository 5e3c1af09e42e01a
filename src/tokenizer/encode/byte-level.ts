// Encodes text without added tokens by byte-level BPE, synchronously: split into words, look each up in a bounded word cache, merge the
// unknown ones. The native encoder is the twin in tests.
import { type Merges, merge, mergeSteps } from './bpe.ts'
import type { PieceEncoder } from './bpe-model.ts'
import { append, type IdBuffer, reserve } from './id-buffer.ts'
import { pausingSplit, splitBy } from './split-patterns.ts'
import { wordCache } from './word-cache.ts'

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
  const cache = wordCache(parts.cacheBytes)
  const utf8 = new TextEncoder()
  let bytes = Buffer.alloc(1024)
  let symbols = new Uint32Array(1024)

  function encodeWord(word: string, out: IdBuffer): void {
    if (word.length * 3 > bytes.length) {
      bytes = Buffer.alloc(word.length * 4)
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
    if (word.length > maxCachedWord) return
    // Read back from the bytes: a slice of the prompt would keep the whole prompt alive.
    cache.set(bytes.toString(size === word.length ? 'latin1' : 'utf8', 0, size), symbols, count)
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
      if (!cache.append(word, out)) encodeWord(word, out)
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
      else if (!cache.append(word, out)) encodeWord(word, out)
      yield
    }
  }

  return {
    encodePiece: (text, out) => words(text, 0, out),
    encodeSteps: (text, out) => steps(text, 0, out),
  }
}
