// Seam: text to ids and back for one model.

export interface Tokenizer {
  readonly vocabSize: number
  /** Ids that a decode with `skipSpecial` leaves out. */
  readonly specialIds: ReadonlySet<number>
  /** The text of a special token ("<|im_end|>") to its id; undefined when the model has no such token. */
  tokenToId(token: string): number | undefined
  /**
   * Ids of a text. `addSpecial` adds what the model's post-processor adds (BOS). Returns at once when all of it is cached,
   * else a promise (the native encoder works on its own threads). A shared prefix that was seen before is not tokenized again.
   */
  encode(text: string, addSpecial: boolean): Uint32Array | Promise<Uint32Array>
  /** The whole text of some ids. */
  decode(ids: ArrayLike<number>, skipSpecial: boolean): string
  /** One token alone, as it would be shown in logprobs: its text (U+FFFD for a piece of a character) and its exact bytes. */
  token(id: number): { text: string; bytes: Uint8Array }
  /** An incremental decoder for one answer. `promptTail` is the end of the prompt's ids, for models whose first token depends on it. */
  stream(skipSpecial: boolean, promptTail?: ArrayLike<number>): StreamDecoder
}

/** Equal, over any cut of the ids, to the whole decode. Synchronous and cheap: it runs once for each token. */
export interface StreamDecoder {
  /** The text that became certain; may be empty while a character is incomplete. */
  push(id: number): string
  /** What is still held back (U+FFFD for an incomplete character). */
  end(): string
}
