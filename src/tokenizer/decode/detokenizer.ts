// Seam inside the folder: ids to text for one kind of decoder. byte-level.ts, sentencepiece.ts and native.ts stand behind it; the test
// compares each with the native whole decode.
import type { StreamDecoder } from '../tokenizer.ts'

export interface Detokenizer {
  decode(ids: ArrayLike<number>, skipSpecial: boolean): string
  token(id: number): { text: string; bytes: Uint8Array }
  stream(skipSpecial: boolean, promptTail?: ArrayLike<number>): StreamDecoder
}

/** What a detokenizer knows of the vocabulary. */
export interface TokenNames {
  /** The token as tokenizer.json writes it; undefined for an id that no token has. */
  name(id: number): string | undefined
  isSpecial(id: number): boolean
  /** Greatest id plus one. */
  readonly size: number
}
