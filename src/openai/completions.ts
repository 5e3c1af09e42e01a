// POST /v1/completions: one prompt or a batch, as text or token ids.
import type { TextRequest } from '../pipeline/types.ts'
import { completionLogprobs } from './answer/logprobs.ts'
import type { Api, Handler, Unrun } from './call.ts'
import { type Endpoint, generate, takeRid } from './generate.ts'
import { type BodyRules, bodyRules, checkBody, lazyRules } from './request/check.ts'
import { completionRequests } from './request/completion.ts'
import { checkedLater } from './request/prompts.ts'
import type { CompletionBody } from './schema/completions.ts'
import { streamCompletion } from './stream/completion.ts'

const endpoint: Endpoint = {
  idPrefix: 'cmpl-',
  object: 'text_completion',
  stream: streamCompletion,
  choice: ({ text, logprobs, finish }) => ({
    text,
    logprobs: logprobs === undefined ? null : completionLogprobs(logprobs, 0),
    finish_reason: finish?.reason ?? null,
    matched_stop: finish?.matched ?? null,
  }),
}

export const completionRules = lazyRules(async (ignoreUnknown) => {
  const { completionShape, completionRequired } = await import('./schema/completions.ts')
  return bodyRules(completionShape, completionRequired, ignoreUnknown, { prompt: checkedLater })
})

/** A completions body as the pipeline's requests, one a prompt, without running them. Throws AppErrors. */
export async function completionsOf(call: Unrun, api: Pick<Api, 'ignoreUnknownFields'>): Promise<TextRequest[]> {
  const body = checkBody<CompletionBody>(await completionRules(api.ignoreUnknownFields), call.body, api.ignoreUnknownFields)
  return completionRequests(body, call)
}

export function completionsHandler(api: Api): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    rules ??= await completionRules(api.ignoreUnknownFields)
    const body = checkBody<CompletionBody>(rules, call.body, api.ignoreUnknownFields)
    takeRid(call, body.rid)
    call.begin(body.model, body.stream === true)
    return generate(completionRequests(body, call), body, call, api, endpoint)
  }
}
