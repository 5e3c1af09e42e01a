// POST /v1/chat/completions.
import type { TextRequest } from '../pipeline/types.ts'
import { chatLogprobs } from './answer/logprobs.ts'
import type { Api, Handler, Unrun } from './call.ts'
import { forcedEndpoint, forcesTools } from './forced-tools.ts'
import { type Endpoint, generate, takeRid } from './generate.ts'
import { chatRequest } from './request/chat.ts'
import { type BodyRules, bodyRules, checkBody, eachRule, lazyRules, type Rule } from './request/check.ts'
import { checkPartKeys } from './request/part-keys.ts'
import type { ChatBody } from './schema/chat.ts'
import { streamChat } from './stream/chat.ts'

const endpoint: Endpoint = {
  idPrefix: 'chatcmpl-',
  object: 'chat.completion',
  stream: (requests, pipeline, options, signal) => streamChat(requests[0]!, pipeline, options, signal),
  choice: ({ text, logprobs, finish }) => ({
    message: { role: 'assistant', content: text, refusal: null },
    logprobs: logprobs === undefined ? null : chatLogprobs(logprobs),
    finish_reason: finish?.reason ?? null,
    matched_stop: finish?.matched ?? null,
  }),
}

/** Also what /tokenize checks messages with. */
export const chatRules = lazyRules(async (ignoreUnknown) => {
  const { chatShape, chatRequired, message, tool } = await import('./schema/chat.ts')
  const each = eachRule(message, 1, 65536, ignoreUnknown)
  const strict: Rule = (value, param, body) => {
    each(value, param, body)
    checkPartKeys(value, param)
  }
  return bodyRules(chatShape, chatRequired, ignoreUnknown, {
    messages: ignoreUnknown ? each : strict,
    tools: eachRule(tool, 0, 1536, ignoreUnknown),
  })
})

/** A chat body as the pipeline's request, without running it. Throws AppErrors. */
export async function chatOf(call: Unrun, api: Pick<Api, 'ignoreUnknownFields' | 'excludeToolsWhenNone'>): Promise<TextRequest> {
  const body = checkBody<ChatBody>(await chatRules(api.ignoreUnknownFields), call.body, api.ignoreUnknownFields)
  return chatRequest(body, call, api)
}

export function chatHandler(api: Api): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    rules ??= await chatRules(api.ignoreUnknownFields)
    const body = checkBody<ChatBody>(rules, call.body, api.ignoreUnknownFields)
    takeRid(call, body.rid)
    call.begin(body.model, body.stream === true)
    return generate([chatRequest(body, call, api)], body, call, api, forcesTools(body) ? forcedEndpoint : endpoint)
  }
}
