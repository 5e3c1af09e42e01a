// prepare → place → generate → decode → sink. Owns the lease, the abort signal and the one release.
import type { GenerateRequest } from '../engine/types.ts'
import { AppError, toAppError } from '../lib/errors.ts'
import { cachedTokens, inflightRequests, inputTokens, outputLength, outputTokens, queuedRequests, requestDuration } from '../lib/metrics.ts'
import type { Lease } from '../router/router.ts'
import { RunningAnswer } from './answer.ts'
import { ChoiceDecoder } from './decode.ts'
import type { LoadedModel, ModelRegistry } from './model.ts'
import { type Prepared, prepare } from './prepare.ts'
import type { AnswerSink, TextRequest } from './types.ts'

/** Runs one request into `sink`; resolves after the sink's terminal call, never rejects. `signal` is the client's connection. */
export async function run(request: TextRequest, sink: AnswerSink, signal: AbortSignal, models: ModelRegistry): Promise<void> {
  let model: LoadedModel
  try {
    model = models.find(request.model)
  } catch (error) {
    sink.fail(toAppError(error))
    return
  }
  const labels = { model: model.served.id }
  inflightRequests.inc(labels)
  queuedRequests.inc(labels)
  let answer: RunningAnswer | undefined
  try {
    answer = await answerOne(request, model, sink, signal)
  } catch (error) {
    sink.fail(signal.aborted ? clientGone() : toAppError(error))
  } finally {
    inflightRequests.dec(labels)
    if (answer?.started !== true) queuedRequests.dec(labels)
    requestDuration.model(labels.model).observe((performance.now() - request.receivedAt) / 1000)
    if (answer !== undefined) {
      inputTokens.model(labels.model).observe(answer.usage.promptTokens)
      outputLength.model(labels.model).observe(answer.usage.completionTokens)
      outputTokens.inc(labels, answer.usage.completionTokens)
      cachedTokens.inc(labels, answer.usage.cachedTokens)
    }
  }
}

async function answerOne(request: TextRequest, model: LoadedModel, sink: AnswerSink, signal: AbortSignal): Promise<RunningAnswer> {
  if (model.info.isEmbedding)
    throw new AppError('unsupported_parameter', {
      message: `${model.served.id} makes embeddings only; use /v1/embeddings.`,
      param: 'model',
    })
  const prepared = await prepare(request, model)
  if (signal.aborted) throw clientGone()
  const { workerId, dpRank, requestId } = request
  const placed = model.router.place({ requestId, promptIds: prepared.promptIds, workerId, dpRank }, signal)
  const lease = placed instanceof Promise ? await placed : placed
  const answer = new RunningAnswer(request, prepared, model, lease, sink)
  const leave = () => answer.fail(clientGone())
  signal.addEventListener('abort', leave, { once: true })
  try {
    answer.begin()
    if (request.n === 1) await generate(0, request, prepared, model, lease, answer)
    else await Promise.all(Array.from({ length: request.n }, (_, choice) => generate(choice, request, prepared, model, lease, answer)))
    return answer
  } finally {
    signal.removeEventListener('abort', leave)
    lease.release({ usage: answer.usage })
  }
}

function generate(
  choice: number,
  request: TextRequest,
  prepared: Prepared,
  model: LoadedModel,
  lease: Lease,
  answer: RunningAnswer,
): Promise<void> {
  // An engine may refuse one choice at once, before the others are asked for.
  if (answer.over) return Promise.resolve()
  const leg = new AbortController()
  answer.legs.push(leg)
  const decoder = new ChoiceDecoder(
    {
      choice,
      tokenizer: model.tokenizer,
      promptIds: prepared.promptIds,
      skipSpecial: request.skipSpecial,
      stops: request.stops,
      includeStop: request.includeStop,
      stopIds: stopIds(request, model),
      wantLogprobs: request.topLogprobs !== undefined,
    },
    answer,
  )
  return lease.engine.generate(engineRequest(choice, request, prepared, lease), decoder, leg.signal)
}

const NO_IDS: ReadonlySet<number> = new Set()
const eosSets = new WeakMap<LoadedModel, ReadonlySet<number>>()

/** Ids whose text is hidden when they end an answer. */
function stopIds(request: TextRequest, model: LoadedModel): ReadonlySet<number> {
  const own = request.sampling.stop_token_ids
  let eos = eosSets.get(model)
  if (eos === undefined) {
    eos = new Set(model.info.eosIds)
    eosSets.set(model, eos)
  }
  if (own === undefined || own.length === 0) return request.sampling.ignore_eos === true ? NO_IDS : eos
  return new Set([...eos, ...own])
}

function engineRequest(choice: number, request: TextRequest, prepared: Prepared, lease: Lease): GenerateRequest {
  const { sampling, promptIds } = prepared
  // Each choice has its own seed, or all would be the same answer.
  const seeded = choice > 0 && sampling.sampling_seed !== undefined
  const made: GenerateRequest = {
    requestId: request.requestId,
    promptIds,
    sampling: seeded ? { ...sampling, sampling_seed: sampling.sampling_seed! + choice } : sampling,
    stream: request.stream,
  }
  if (prepared.chat !== undefined) made.chat = prepared.chat
  if (request.topLogprobs !== undefined) made.logprobs = { top: request.topLogprobs, promptStart: request.echo ? 0 : -1 }
  if (request.priority !== undefined) made.priority = request.priority
  if (lease.dpRank !== undefined) made.dpRank = lease.dpRank
  if (request.lora !== undefined) made.lora = request.lora
  if (request.cacheSalt !== undefined) made.cacheSalt = request.cacheSalt
  if (request.extraKey !== undefined) made.extraKey = request.extraKey
  return made
}

function clientGone(): AppError {
  return new AppError('client_closed_request', { message: 'The client closed the connection.' })
}
