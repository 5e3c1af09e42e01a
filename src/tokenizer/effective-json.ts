// tokenizer.json as transformers 5 (the engine's side) uses it: with the special tokens that only tokenizer_config.json names, with the
// BOS/EOS switches of that file, without truncation and padding.
import type { AddedTokenJson, PartJson, TokenizerJson } from './tokenizer-json.ts'

type NamedToken = string | { content?: string; lstrip?: boolean; rstrip?: boolean; single_word?: boolean; normalized?: boolean }

/** The fields of tokenizer_config.json that matter for tokens. */
export interface TokenizerConfigJson {
  add_bos_token?: boolean
  add_eos_token?: boolean
  added_tokens_decoder?: Record<string, Omit<AddedTokenJson, 'id'>>
  additional_special_tokens?: NamedToken[]
  extra_special_tokens?: NamedToken[] | Record<string, NamedToken>
  [field: string]: unknown
}

const namedFields = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const

/** A new object; `json` stays as it is. */
export function effectiveJson(json: TokenizerJson, config: TokenizerConfigJson): TokenizerJson {
  const added = addedTokens(json, config)
  const result = { ...json, added_tokens: added, truncation: null, padding: null }
  const switched = config.add_bos_token !== undefined || config.add_eos_token !== undefined
  if (switched || !json.post_processor) result.post_processor = bosEosProcessor(config, added)
  return result
}

function addedTokens(json: TokenizerJson, config: TokenizerConfigJson): AddedTokenJson[] {
  const added = [...(json.added_tokens ?? [])]
  const known = new Set(added.map((token) => token.content))
  const vocab = Array.isArray(json.model.vocab) ? undefined : json.model.vocab
  let next = -1
  const add = (token: NamedToken, flags: Partial<AddedTokenJson>) => {
    const content = typeof token === 'string' ? token : (token.content ?? '')
    if (content === '' || known.has(content)) return
    known.add(content)
    let id = vocab?.[content]
    if (id === undefined) {
      if (next < 0) next = 1 + added.reduce((max, token) => Math.max(max, token.id), maxId(json)) // a long walk, seldom needed
      id = next++
    }
    const defaults = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    added.push({ ...defaults, ...(typeof token === 'string' ? {} : token), ...flags, id, content })
  }
  for (const token of Object.values(config.added_tokens_decoder ?? {})) add(token.content, token)
  for (const field of namedFields) if (config[field]) add(config[field] as NamedToken, { special: true })
  const extra = config.extra_special_tokens ?? []
  for (const token of [...(config.additional_special_tokens ?? []), ...(Array.isArray(extra) ? extra : Object.values(extra))])
    add(token, { special: true })
  return added
}

/** Greatest id of the model's own vocabulary. */
function maxId(json: TokenizerJson): number {
  if (Array.isArray(json.model.vocab)) return json.model.vocab.length - 1
  let max = -1
  for (const id of Object.values(json.model.vocab)) if (id > max) max = id
  return max
}

function bosEosProcessor(config: TokenizerConfigJson, added: readonly AddedTokenJson[]): PartJson | null {
  const special: Record<string, { id: string; ids: number[]; tokens: string[] }> = {}
  const use = (wanted: boolean | undefined, field: string) => {
    const value = config[field] as NamedToken | null | undefined
    const content = typeof value === 'string' ? value : value?.content
    const token = wanted && content ? added.find((entry) => entry.content === content) : undefined
    if (!token) return []
    special[token.content] = { id: token.content, ids: [token.id], tokens: [token.content] }
    return [{ SpecialToken: { id: token.content, type_id: 0 } }]
  }
  const bos = use(config.add_bos_token, 'bos_token')
  const eos = use(config.add_eos_token, 'eos_token')
  if (bos.length + eos.length === 0) return null
  const single = [...bos, { Sequence: { id: 'A', type_id: 0 } }, ...eos]
  return { type: 'TemplateProcessing', single, pair: [...single, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: special }
}
