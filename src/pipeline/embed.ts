// The short path without decode: texts to vectors.
import type { Embedding, EmbedRequest } from '../engine/types.ts'
import { AppError, toAppError } from '../lib/errors.ts'
import { inflightRequests, inputTokens } from '../lib/metrics.ts'
import type { Lease, Outcome, Placement } from '../router/router.ts'
import { again } from './failure.ts'
import type { LoadedModel, ModelRegistry } from './model.ts'
import { backOff, limitOf, noteMigration, placeAgain, placeFirst, waitAgainMsOf } from './place.ts'
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
    const running: Promise<Embedded>[] = []
    for (const promptIds of inputs) {
      const placement = embedPlacement(request, promptIds)
      const placed = placeFirst(model, placement, stop.signal)
      const lease = placed instanceof Promise ? await placed : placed
      running.push(embedOne(request, placement, lease, model, stop.signal))
      // The one that is awaited below is the first to fail; the others' failures are heard here.
      running.at(-1)!.catch(() => {})
    }
    const embedded = await Promise.all(running)
    let promptTokens = 0
    for (const { embedding } of embedded) promptTokens += embedding.promptTokens
    inputTokens.model(labels.model).observe(promptTokens)
    const { workerId, dpRank, overlapTokens } = embedded[0]!.lease
    const vectors = embedded.map(({ embedding }) => cut(embedding, request.dimensions))
    return { workerId, dpRank, overlapTokens, vectors, promptTokens }
  } finally {
    stop.abort()
    signal.removeEventListener('abort', leave)
    inflightRequests.dec(labels)
  }
}

interface Embedded {
  embedding: Embedding
  /** Released by now; only good for its place. */
  lease: Lease
}

function embedPlacement(request: EmbeddingRequest, promptIds: Uint32Array): Placement {
  const { requestId, workerId, sessionId, cacheSalt, options } = request
  return { requestId, promptIds, workerId, sessionId, cacheSalt, dpRank: options?.dpRank, priority: options?.priority, embedding: true }
}

/** One input over its attempts: there is nothing to go on with, so a failed one begins anew on another worker. */
async function embedOne(
  request: EmbeddingRequest,
  placement: Placement,
  first: Lease,
  model: LoadedModel,
  signal: AbortSignal,
): Promise<Embedded> {
  const avoid = new Set<string>()
  for (let lease = first, attempts = 1; ; attempts++) {
    const outcome: Outcome = {}
    let error: AppError
    try {
      const one: EmbedRequest = { requestId: request.requestId, promptIds: placement.promptIds, ...request.options }
      if (lease.dpRank !== undefined) one.dpRank = lease.dpRank
      return { embedding: await lease.engine.embed(one, signal), lease }
    } catch (thrown) {
      error = embedError(toAppError(thrown), signal)
      if (!signal.aborted) outcome.error = error
    } finally {
      lease.release(outcome)
    }
    const where = again(error)
    if (signal.aborted || where === 'never' || attempts > limitOf(model)) throw error
    avoid.add(lease.workerId)
    const next = await placeAgain(model.router, { ...placement, avoid }, waitAgainMsOf(model), signal)
    if (next === undefined) throw error
    if (avoid.has(next.workerId)) {
      if (where === 'elsewhere') {
        next.release()
        throw error
      }
      await backOff(attempts, signal)
    }
    noteMigration(model, { id: request.requestId, from: lease.workerId, to: next.workerId, tokens: 0, reason: error.code })
    lease = next
  }
}

/** An engine that stops tells of a cancel, but nobody here has cancelled anything. */
function embedError(error: AppError, signal: AbortSignal): AppError {
  if (error.code !== 'client_closed_request' || signal.aborted) return error
  return new AppError('engine_unavailable', {
    message: `The engine ended this request: ${error.message}.`,
    retryAfterSecs: 1,
    cause: error,
  })
}

async function inputIds(input: string | Uint32Array, index: number, model: LoadedModel): Promise<Uint32Array> {
  const prompt =
    typeof input === 'string' ? ({ kind: 'text', text: input, addSpecial: true } as const) : ({ kind: 'ids', ids: input } as const)
  const param = `input[${index}]`
  const ids = await tokenizePrompt(prompt, model, undefined, param).ids
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
