// prepare → place → generate → decode → sink. Owns the client's signal; migrate.ts owns each choice's places.
import { AppError, clientGone, toAppError } from '../lib/errors.ts'
import { cachedTokens, inflightRequests, inputTokens, outputLength, outputTokens, queuedRequests, requestDuration } from '../lib/metrics.ts'
import { RunningAnswer } from './answer.ts'
import { runChoice } from './migration/migrate.ts'
import type { LoadedModel, ModelRegistry } from './model.ts'
import { placeFirst, placementOf } from './place.ts'
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
    if (answer?.begun === true) {
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
  const prepared = await prepare(request, model, signal)
  if (signal.aborted) throw clientGone()
  const answer = new RunningAnswer(request, prepared, model, sink)
  const leave = () => answer.fail(clientGone())
  signal.addEventListener('abort', leave, { once: true })
  try {
    await runChoices(request, prepared, model, answer)
    return answer
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Places the choices one after another, so that each sees the load of those before it; they run beside each other. */
async function runChoices(request: TextRequest, prepared: Prepared, model: LoadedModel, answer: RunningAnswer): Promise<void> {
  const running: Promise<void>[] = []
  const placement = placementOf(request, prepared.routeIds, prepared.sampling)
  // An engine may refuse one choice at once, before the others are asked for.
  for (let index = 0; index < request.n && !answer.over; index++) {
    const leg = new AbortController()
    answer.legs.push(leg)
    try {
      const placed = placeFirst(model, placement, leg.signal)
      const lease = placed instanceof Promise ? await placed : placed
      if (answer.over) lease.release()
      else running.push(runChoice({ index, request, prepared, model, answer, leg }, lease))
    } catch (error) {
      answer.fail(toAppError(error))
    }
  }
  await (running.length === 1 ? running[0] : Promise.all(running))
}
