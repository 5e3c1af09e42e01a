// POST /v1/completions: one prompt or a batch, as text or token ids.
import type { Api, Handler } from './call.ts'
import { type BodyRules, bodyRules, checkBody } from './check.ts'
import { completionRequests } from './completion-request.ts'
import { streamCompletion } from './completion-stream.ts'
import { type Endpoint, generate, takeRid } from './generate.ts'
import { completionLogprobs } from './logprobs.ts'
import { checkedLater } from './prompts.ts'
import type { CompletionBody } from './schema/completions.ts'

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

export function completionsHandler(api: Api): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    if (rules === undefined) {
      const { completionShape, completionRequired } = await import('./schema/completions.ts')
      rules = bodyRules(completionShape, completionRequired, api.ignoreUnknownFields, { prompt: checkedLater })
    }
    const body = checkBody<CompletionBody>(rules, call.body, api.ignoreUnknownFields)
    takeRid(call, body.rid)
    call.begin(body.model, body.stream === true)
    return generate(completionRequests(body, call), body, call, api, endpoint)
  }
}
