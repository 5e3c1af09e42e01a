// An engine's log-probability columns to tokens with their text.
import type { PromptLogprobs, RowLogprobs, TopLogprobs } from '../../engine/types.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import type { TokenLogprob } from '../types.ts'

function alternatives(top: TopLogprobs | null | undefined, tokenizer: Tokenizer): TokenLogprob['top'] {
  if (top === undefined || top === null) return []
  return top.ids.map((id, i) => ({ id, value: top.values[i]!, ...tokenizer.token(id) }))
}

/** The row's i-th token, whose id is `id`. */
export function rowToken(id: number, row: RowLogprobs, i: number, tokenizer: Tokenizer): TokenLogprob {
  const { text, bytes } = tokenizer.token(id)
  return { id, value: row.values[i] ?? null, text, bytes, top: alternatives(row.top?.[i], tokenizer) }
}

/** The prompt's tokens, for echo. */
export function promptTokens(prompt: PromptLogprobs, tokenizer: Tokenizer): TokenLogprob[] {
  return prompt.ids.map((id, i) => ({
    id,
    value: prompt.values[i] ?? null,
    ...tokenizer.token(id),
    top: alternatives(prompt.top?.[i], tokenizer),
  }))
}
