// POST /v1/embeddings: texts or token ids, one or a batch, as numbers or base64.
import type { EmbeddingRequest } from '../pipeline/types.ts'
import { placeHeaders } from './answer/place.ts'
import { type Api, type Handler, json } from './call.ts'
import { takeRid } from './generate.ts'
import { type BodyRules, bodyRules, checkBody } from './request/check.ts'
import { checkedLater, readPrompts } from './request/prompts.ts'
import { routingOf } from './request/routing.ts'
import type { EmbeddingBody } from './schema/embeddings.ts'

export function embeddingsHandler(api: Api): Handler {
  let rules: BodyRules | undefined
  return async (call) => {
    if (rules === undefined) {
      const { embeddingShape, embeddingRequired } = await import('./schema/embeddings.ts')
      rules = bodyRules(embeddingShape, embeddingRequired, api.ignoreUnknownFields, { input: checkedLater })
    }
    const body = checkBody<EmbeddingBody>(rules, call.body, api.ignoreUnknownFields)
    takeRid(call, body.rid)
    call.begin(body.model, false)
    const request: EmbeddingRequest = { requestId: call.requestId, model: body.model, inputs: readPrompts(body.input, 'input') }
    if (body.dimensions != null) request.dimensions = body.dimensions
    const { workerId, sessionId, cacheSalt, priority, dpRank } = routingOf(body, call.headers)
    const options: NonNullable<EmbeddingRequest['options']> = {}
    if (priority !== undefined) options.priority = priority
    if (dpRank !== undefined) options.dpRank = dpRank
    if (Object.keys(options).length > 0) request.options = options
    if (workerId !== undefined) request.workerId = workerId
    if (sessionId !== undefined) request.sessionId = sessionId
    if (cacheSalt !== undefined) request.cacheSalt = cacheSalt

    const answer = await api.pipeline.embed(request, call.signal)
    call.outcome({
      workerId: answer.workerId,
      usage: { promptTokens: answer.promptTokens, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 },
    })
    const shown = body.encoding_format === 'base64' ? base64 : Array.from<number>
    const made = {
      object: 'list',
      data: answer.vectors.map((vector, index) => ({ object: 'embedding', index, embedding: shown(vector) })),
      model: body.model,
      usage: { prompt_tokens: answer.promptTokens, total_tokens: answer.promptTokens },
    }
    return json(made, placeHeaders(answer))
  }
}

/** Little-endian 32-bit floats, as OpenAI's clients decode them. Every machine we run on is little-endian. */
function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}
