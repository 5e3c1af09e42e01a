// Tokens with their log-probabilities in OpenAI's two shapes.
import type { TokenLogprob } from '../pipeline/types.ts'

/** JSON has no infinity; OpenAI shows a token that cannot be as -9999. */
const finite = (value: number): number => (Number.isFinite(value) ? value : -9999)

/** `choices[].logprobs` of chat. */
export function chatLogprobs(tokens: readonly TokenLogprob[]): { content: unknown[]; refusal: null } {
  const content = tokens.map((token) => ({
    token: token.text,
    logprob: token.value === null ? null : finite(token.value),
    bytes: [...token.bytes],
    top_logprobs: token.top.map((other) => ({ token: other.text, logprob: finite(other.value), bytes: [...other.bytes] })),
  }))
  return { content, refusal: null }
}

/** `choices[].logprobs` of completions. `offset` is where the first token begins in the choice's text, in UTF-16 units. */
export function completionLogprobs(tokens: readonly TokenLogprob[], offset: number) {
  const textOffset: number[] = []
  for (const token of tokens) {
    textOffset.push(offset)
    offset += token.text.length
  }
  return {
    tokens: tokens.map((token) => token.text),
    token_logprobs: tokens.map((token) => (token.value === null ? null : finite(token.value))),
    top_logprobs: tokens.map((token) =>
      token.value === null && token.top.length === 0
        ? null
        : Object.fromEntries(token.top.map((other) => [other.text, finite(other.value)])),
    ),
    text_offset: textOffset,
  }
}
