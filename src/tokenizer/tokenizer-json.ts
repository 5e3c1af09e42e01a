// The parts of tokenizer.json that we read, as types. Anything else in the file goes to the native library.

export interface AddedTokenJson {
  id: number
  content: string
  single_word: boolean
  lstrip: boolean
  rstrip: boolean
  normalized: boolean
  special: boolean
}

/** A normalizer, pre-tokenizer, post-processor or decoder: a type and its fields. */
export interface PartJson {
  type: string
  [field: string]: unknown
}

export interface ModelJson {
  type?: string
  vocab: Record<string, number> | [string, number][]
  merges?: readonly (string | readonly [string, string])[]
  dropout?: number | null
  unk_token?: string | null
  continuing_subword_prefix?: string | null
  end_of_word_suffix?: string | null
  fuse_unk?: boolean
  byte_fallback?: boolean
  ignore_merges?: boolean
}

export interface TokenizerJson {
  added_tokens?: AddedTokenJson[]
  normalizer: PartJson | null
  pre_tokenizer: PartJson | null
  post_processor: PartJson | null
  decoder: PartJson | null
  model: ModelJson
}

/** A Sequence's parts in order; a single part as a list of one; null as an empty list. Nested sequences are flattened. */
export function partsOf(part: PartJson | null, field: string): PartJson[] {
  if (part === null || part === undefined) return []
  if (part.type !== 'Sequence') return [part]
  return (part[field] as PartJson[]).flatMap((inner) => partsOf(inner, field))
}

const firstSpare = 256

/** GPT-2's byte alphabet: the letter that stands for each byte. */
export const byteLetters: readonly string[] = (() => {
  let spare = firstSpare
  return Array.from({ length: 256 }, (_, b) => {
    const printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae
    return String.fromCharCode(printable ? b : spare++)
  })
})()

/** Letter of the byte alphabet → byte. */
export const letterBytes: ReadonlyMap<string, number> = new Map(byteLetters.map((letter, byte) => [letter, byte]))
