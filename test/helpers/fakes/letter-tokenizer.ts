// A tokenizer anyone can check by eye: one id for each UTF-16 unit below 1000, id 0 is `<eos>`.
import type { Tokenizer } from '../../../src/tokenizer/tokenizer.ts'

export function letterTokenizer(): Tokenizer {
  const text = (id: number) => (id === 0 ? '<eos>' : String.fromCharCode(id))
  return {
    vocabSize: 1000,
    specialIds: new Set([0]),
    tokenToId: (token) => (token === '<eos>' ? 0 : undefined),
    encode: (input) => Uint32Array.from(input, (character) => character.charCodeAt(0)),
    decode: (ids, skipSpecial) =>
      Array.from(ids)
        .filter((id) => !(skipSpecial && id === 0))
        .map(text)
        .join(''),
    token: (id) => ({ text: text(id), bytes: new TextEncoder().encode(text(id)) }),
    stream: (skipSpecial) => ({ push: (id) => (skipSpecial && id === 0 ? '' : text(id)), end: () => '' }),
  }
}

export const ids = (text: string): Int32Array => Int32Array.from(text, (character) => (character === '$' ? 0 : character.charCodeAt(0)))
