// The vocabulary of a tokenizer.json: ids by name and names by id, the model's own and the added ones.
import type { TokenNames } from './decode/detokenizer.ts'
import type { TokenizerJson } from './tokenizer-json.ts'

export interface Vocabulary {
  /** The model's own tokens, as tokenizer.json writes them. */
  ids: ReadonlyMap<string, number>
  /** With the added tokens, which win. */
  names: TokenNames
  specialIds: ReadonlySet<number>
  tokenToId(token: string): number | undefined
}

/** One pass over the file's tables: they have hundreds of thousands of entries, and start-up waits for it. */
export function readVocabulary(json: TokenizerJson): Vocabulary {
  const { vocab } = json.model
  const ids = new Map<string, number>()
  const names: (string | undefined)[] = []
  const set = (name: string, id: number) => {
    names[id] = name
    ids.set(name, id)
  }
  if (Array.isArray(vocab)) vocab.forEach(([name], id) => void set(name, id))
  else for (const name in vocab) set(name, vocab[name]!)
  const added = new Map<string, number>()
  const special = new Set<number>()
  for (const token of json.added_tokens ?? []) {
    names[token.id] = token.content
    added.set(token.content, token.id)
    if (token.special) special.add(token.id)
  }
  return {
    ids,
    names: { name: (id) => names[id], isSpecial: (id) => special.has(id), size: names.length },
    specialIds: special,
    tokenToId: (token) => added.get(token) ?? ids.get(token),
  }
}
