// POST /tokenize and /detokenize, in the shapes of SGLang's and vLLM's servers.
import { AppError } from '../lib/errors.ts'
import type { Pipeline, Prompt } from '../pipeline/types.ts'
import { type Api, type Handler, json } from './call.ts'
import { chatRules } from './chat.ts'
import { templateInput } from './request/chat.ts'
import { type BodyRules, bodyRules, checkBody, type Rule } from './request/check.ts'
import { checkedLater, readIds } from './request/prompts.ts'
import type { DetokenizeBody, TokenizeBody } from './schema/tokenize.ts'

export function tokenizeHandler(api: Api): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    if (rules === undefined) {
      const { tokenizeShape } = await import('./schema/tokenize.ts')
      const chat = await chatRules(api.ignoreUnknownFields)
      const byHand: Record<string, Rule> = { messages: chat.fields.get('messages')!, tools: chat.fields.get('tools')! }
      rules = bodyRules(tokenizeShape, [], api.ignoreUnknownFields, byHand)
    }
    const body = checkBody<TokenizeBody>(rules, call.body, api.ignoreUnknownFields)
    const model = servedModel(api.pipeline, body.model)
    call.begin(model.id, false)
    const prompts = promptsOf(body, api)
    const lists = await Promise.all(prompts.map((prompt) => api.pipeline.tokenize(model.id, prompt)))
    const one = !Array.isArray(body.prompt) || body.messages != null
    const made: Record<string, unknown> = {
      tokens: one ? Array.from(lists[0]!) : lists.map((ids) => Array.from(ids)),
      count: one ? lists[0]!.length : lists.map((ids) => ids.length),
      max_model_len: model.contextLength,
    }
    if (body.return_token_strs === true) {
      const texts = lists.map((ids) => Array.from(ids, (id) => api.pipeline.detokenize(model.id, Uint32Array.of(id), false)))
      made.token_strs = one ? texts[0] : texts
    }
    call.outcome({})
    return json(made)
  }
}

export function detokenizeHandler(api: Api): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    if (rules === undefined) {
      const { detokenizeShape, detokenizeRequired } = await import('./schema/tokenize.ts')
      rules = bodyRules(detokenizeShape, detokenizeRequired, api.ignoreUnknownFields, { tokens: checkedLater })
    }
    const body = checkBody<DetokenizeBody>(rules, call.body, api.ignoreUnknownFields)
    const model = servedModel(api.pipeline, body.model)
    call.begin(model.id, false)
    if (!Array.isArray(body.tokens))
      throw new AppError('invalid_type', { message: "'tokens' must be an array of token ids.", param: 'tokens' })
    const decode = (ids: readonly unknown[], param: string) =>
      api.pipeline.detokenize(model.id, readIds(ids, param), body.skip_special_tokens !== false)
    const nested = Array.isArray(body.tokens[0])
    const text = nested
      ? (body.tokens as unknown[][]).map((ids, i) => decode(Array.isArray(ids) ? ids : [ids], `tokens[${i}]`))
      : decode(body.tokens, 'tokens')
    call.outcome({})
    // SGLang calls the answer `text`, vLLM `prompt`.
    return json({ text, prompt: text })
  }
}

function promptsOf(body: TokenizeBody, api: Api): Prompt[] {
  const { prompt, messages } = body
  if ((prompt == null) === (messages == null))
    throw new AppError(prompt == null ? 'missing_parameter' : 'invalid_value', {
      message: "Give either 'prompt' or 'messages'.",
      param: 'prompt',
    })
  if (messages != null) return [{ kind: 'chat', input: templateInput({ ...body, messages }, api) }]
  const texts = typeof prompt === 'string' ? [prompt] : prompt!
  return texts.map((text) => ({ kind: 'text', text, addSpecial: body.add_special_tokens !== false }))
}

/** The named model, or the only one when none is named. */
function servedModel(pipeline: Pipeline, name: string | null | undefined) {
  const models = pipeline.models()
  const model = name == null ? models[0] : models.find((one) => one.id === name || one.aliases.includes(name))
  if (model !== undefined) return model
  if (models.length === 0)
    throw new AppError('engine_unavailable', {
      message: 'The server is starting and serves no model yet; try again shortly.',
      retryAfterSecs: 5,
    })
  throw new AppError('model_not_found', { message: `The model '${name}' is not served here. Served: ${models[0]!.id}.`, param: 'model' })
}
