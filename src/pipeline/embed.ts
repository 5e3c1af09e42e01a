// The short path without decode: texts to vectors.
import type { Embedding, EmbedRequest } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { inflightRequests, inputTokens } from '../lib/metrics.ts'
import type { LoadedModel, ModelRegistry } from './model.ts'
import { tokenizePrompt } from './prepare.ts'
import type { EmbeddingAnswer, EmbeddingRequest } from './types.ts'

/** One vector for each input, in order. Rejects with an AppError; when one input fails, the others are aborted. */
export async function embed(request: EmbeddingRequest, signal: AbortSignal, models: ModelRegistry): Promise<EmbeddingAnswer> {
  const model = models.find(request.model)
  if (!model.info.isEmbedding)
    throw new AppError('unsupported_parameter', {
      message: `${model.served.id} does not make embeddings. Start it with --embedding-worker, or ask an embedding model.`,
      param: 'model',
    })
  const labels = { model: model.served.id }
  inflightRequests.inc(labels)
  const stop = new AbortController()
  const leave = () => stop.abort()
  signal.addEventListener('abort', leave, { once: true })
  try {
    const inputs = await Promise.all(request.inputs.map((input, i) => inputIds(input, i, model)))
    const placed = model.router.place({ requestId: request.requestId, promptIds: inputs[0]!, dpRank: request.options?.dpRank }, stop.signal)
    const lease = placed instanceof Promise ? await placed : placed
    try {
      const all = inputs.map((promptIds) => {
        const one: EmbedRequest = { requestId: request.requestId, promptIds, ...request.options }
        return lease.engine.embed(one, stop.signal)
      })
      const embeddings = await Promise.all(all)
      let promptTokens = 0
      for (const one of embeddings) promptTokens += one.promptTokens
      inputTokens.model(labels.model).observe(promptTokens)
      return { workerId: lease.workerId, vectors: embeddings.map((one) => cut(one, request.dimensions)), promptTokens }
    } finally {
      lease.release()
    }
  } finally {
    stop.abort()
    signal.removeEventListener('abort', leave)
    inflightRequests.dec(labels)
  }
}

async function inputIds(input: string | Uint32Array, index: number, model: LoadedModel): Promise<Uint32Array> {
  const prompt =
    typeof input === 'string' ? ({ kind: 'text', text: input, addSpecial: true } as const) : ({ kind: 'ids', ids: input } as const)
  const ids = await tokenizePrompt(prompt, model).ids
  const param = `input[${index}]`
  if (ids.length === 0) throw new AppError('invalid_value', { message: 'The input has no tokens.', param })
  if (ids.length > model.info.maxPromptTokens)
    throw new AppError('context_length_exceeded', {
      message: `This model's maximum context length is ${model.info.maxPromptTokens} tokens; the input has ${ids.length}. Please shorten it.`,
      param,
    })
  return ids
}

/** The first `dimensions` values, at unit length again (matryoshka embeddings). */
function cut({ vector }: Embedding, dimensions: number | undefined): Float32Array {
  if (dimensions === undefined || dimensions === vector.length) return vector
  if (dimensions > vector.length)
    throw new AppError('invalid_value', { message: `This model's vectors have ${vector.length} dimensions.`, param: 'dimensions' })
  const short = vector.slice(0, dimensions)
  let square = 0
  for (const value of short) square += value * value
  const scale = square === 0 ? 0 : 1 / Math.sqrt(square)
  return short.map((value) => value * scale)
}
