// A completions body to one pipeline request per prompt; pure.
import { AppError } from '../../lib/errors.ts'
import type { TextRequest } from '../../pipeline/types.ts'
import type { Call } from '../call.ts'
import type { CompletionBody } from '../schema/completions.ts'
import { invalid } from './faults.ts'
import { readPrompts } from './prompts.ts'
import { textRequest } from './text.ts'

/** OpenAI's default for this endpoint. */
const MAX_TOKENS = 16

/** Choices of one HTTP request, all prompts together. */
const MAX_CHOICES = 16384

/** The requests in the order of the prompts. Throws AppErrors. */
export function completionRequests(body: CompletionBody, call: Pick<Call, 'requestId' | 'receivedAt' | 'headers'>): TextRequest[] {
  const n = body.n ?? 1
  if (body.best_of != null) {
    if (body.best_of < n) throw invalid('best_of', `it must be at least 'n' (${n}), but it is ${body.best_of}`)
    if (body.stream === true && body.best_of > n)
      throw new AppError('invalid_value', {
        message: "'best_of' compares whole answers and cannot be streamed. Remove 'stream' or 'best_of'.",
        param: 'best_of',
      })
  }
  if (body.max_tokens === 0 && body.echo !== true)
    throw invalid('max_tokens', "it must be at least 1; 0 is for 'echo', which then gives the prompt alone")
  const ids = body.nvext?.token_data
  const prompts = ids != null ? [Uint32Array.from(ids)] : readPrompts(body.prompt, 'prompt')
  if (prompts.length * (body.best_of ?? n) > MAX_CHOICES)
    throw invalid(
      'prompt',
      `${prompts.length} prompts with ${body.best_of ?? n} choices are more than ${MAX_CHOICES} answers; send fewer at a time`,
    )
  return prompts.map((prompt) => {
    const request = textRequest(
      body,
      call,
      typeof prompt === 'string'
        ? { kind: 'text', text: prompt, addSpecial: body.add_special_tokens !== false }
        : { kind: 'ids', ids: prompt, ...(ids != null && { param: 'nvext.token_data' }) },
      body.max_tokens ?? undefined,
    )
    if (body.max_tokens == null) request.defaultMaxTokens = MAX_TOKENS
    if (body.best_of != null && body.best_of > n) request.bestOf = body.best_of
    if (body.logprobs != null) request.topLogprobs = body.logprobs
    if (body.echo === true) request.echo = true
    return request
  })
}
