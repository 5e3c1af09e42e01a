// The HF tokenizers library (Rust, N-API): loaded only for models that our own encoder or decoder does not cover, because its
// tables take as much memory as ours again. Encoding runs on its own threads.
import type { TokenizerJson } from './tokenizer-json.ts'

export interface NativeTokenizer {
  encode(text: string, addSpecial: boolean): Promise<Uint32Array>
  decode(ids: ArrayLike<number>, skipSpecial: boolean): Promise<string>
  /** The decoder alone, synchronous: names of tokens to text. */
  joinTokens(tokens: string[]): string
}

/** @param json with added tokens and post-processor as they shall apply (effective-json.ts) */
export async function nativeTokenizer(json: TokenizerJson): Promise<NativeTokenizer> {
  const { Tokenizer } = await import('tokenizers')
  const native = Tokenizer.fromString(JSON.stringify(json))
  const decoder = native.getDecoder()
  return {
    encode: async (text, addSpecial) => Uint32Array.from((await native.encode(text, null, { addSpecialTokens: addSpecial })).getIds()),
    decode: (ids, skipSpecial) => native.decode(Array.from(ids), skipSpecial),
    joinTokens: (tokens) => (decoder ? decoder.decode(tokens) : tokens.join(' ')),
  }
}
