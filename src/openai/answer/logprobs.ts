// Tokens with their log-probabilities in OpenAI's two shapes.
import { isUtf8 } from 'node:buffer'
import type { TokenLogprob } from '../../pipeline/types.ts'

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

/**
 * A token as a string that loses nothing: a piece of a character (its bytes are no UTF-8) becomes one latin-1 character a byte, as SGLang
 * shows it, since this API has no `bytes` and several pieces would otherwise be the same key.
 */
function lossless({ text, bytes }: { text: string; bytes: Uint8Array }): string {
  return text.includes('\ufffd') && !isUtf8(bytes) ? Buffer.from(bytes).toString('latin1') : text
}

/** `choices[].logprobs` of completions. `offset` is where the first token begins in the choice's text, in UTF-16 units. */
export function completionLogprobs(tokens: readonly TokenLogprob[], offset: number) {
  const textOffset: number[] = []
  for (const token of tokens) {
    textOffset.push(offset)
    offset += token.text.length
  }
  return {
    tokens: tokens.map(lossless),
    token_logprobs: tokens.map((token) => (token.value === null ? null : finite(token.value))),
    top_logprobs: tokens.map((token) =>
      token.value === null && token.top.length === 0
        ? null
        : Object.fromEntries(token.top.map((other) => [lossless(other), finite(other.value)])),
    ),
    text_offset: textOffset,
  }
}
