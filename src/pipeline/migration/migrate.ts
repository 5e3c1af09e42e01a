// One choice over its attempts: when a worker fails, the answer goes on elsewhere from the ids so far, and nobody sees the seam.
import type { GenerateRequest } from '../../engine/types.ts'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { Lease, Outcome } from '../../router/router.ts'
import type { RunningAnswer } from '../answer.ts'
import { ChoiceDecoder } from '../decode/decode.ts'
import { type Cause, reasonOf, toldAs } from '../failure.ts'
import type { LoadedModel } from '../model.ts'
import { backOff, limitOf, noteMigration, placeAgain, placementOf, waitAgainMsOf } from '../place.ts'
import type { Prepared } from '../prepare.ts'
import type { TextRequest } from '../types.ts'
import { type Next, nextStep, samplingAfter } from './continue.ts'

/** One choice: what it is made of. */
export interface Choice {
  readonly index: number
  readonly request: TextRequest
  readonly prepared: Prepared
  readonly model: LoadedModel
  readonly answer: RunningAnswer
  /** Aborting it stops the engine's work on this choice. */
  readonly leg: AbortController
}

/** Runs the choice from its first place on; resolves when it is over. Failures go to the answer. Every lease is released here, once. */
export async function runChoice(choice: Choice, first: Lease): Promise<void> {
  const { index, request, prepared, model, answer } = choice
  const decoder = decoderOf(choice)
  const avoid = new Set<string>()
  let told: Cause | undefined
  for (let lease = first, attempts = 1; ; attempts++) {
    const from = decoder.length
    await attempt(choice, decoder, lease)
    if (decoder.done || answer.over) return
    const cause = decoder.failure
    if (cause === undefined) return answer.fail(toAppError(new Error('the engine ended a request without a word')))
    const next = nextStep(cause, {
      promptTokens: prepared.promptIds.length,
      produced: decoder.length,
      endingId: decoder.endingId,
      sampling: prepared.sampling,
      attempts,
      limit: limitOf(model),
      contextLength: model.info.contextLength,
      maxPromptTokens: model.info.maxPromptTokens,
    })
    // An engine that refuses to go on (a grammar that it cannot resume) says nothing about why the answer broke off.
    if (next.kind !== 'failed' || told === undefined || from === 0) told = cause
    if (next.kind === 'over') return decoder.complete(next.finish)
    avoid.add(lease.workerId)
    // Either leg of a pair may be the one that failed.
    if (lease.prefillWorkerId !== undefined) avoid.add(lease.prefillWorkerId)
    const placed = next.kind === 'failed' ? undefined : await anotherPlace(choice, decoder, avoid, next, attempts)
    if (answer.over) return placed?.release()
    if (placed === undefined) {
      const why = next.kind === 'failed' ? next.why : 'no worker could take it'
      const line = { id: request.requestId, choice: index, from: lease.workerId, tokens: decoder.length, reason: reasonOf(told), why }
      if (decoder.length > 0 || attempts > 1) log.warn(line, 'answer not continued')
      return answer.fail(toldAs(told, request))
    }
    const line = { id: request.requestId, choice: index, from: lease.workerId, to: placed.workerId, tokens: decoder.length }
    noteMigration(model, { ...line, reason: reasonOf(cause) })
    decoder.again()
    lease = placed
  }
}

/** One attempt, from booked to released. */
async function attempt(choice: Choice, decoder: ChoiceDecoder, lease: Lease): Promise<void> {
  const { index, answer, leg } = choice
  const outcome: Outcome = {}
  try {
    answer.placed(index, lease)
    await lease.engine.generate(engineRequest(choice, decoder, lease), decoder, leg.signal)
    if (decoder.usage !== undefined) outcome.usage = decoder.usage
    if (decoder.failure !== undefined && !leg.signal.aborted) outcome.error = toldAs(decoder.failure, choice.request)
  } catch (thrown) {
    outcome.error = toAppError(thrown)
    answer.fail(outcome.error)
  } finally {
    lease.release(outcome)
  }
}

/** Undefined: there is none in time. */
async function anotherPlace(
  { request, prepared, model, leg }: Choice,
  decoder: ChoiceDecoder,
  avoid: ReadonlySet<string>,
  next: Extract<Next, { kind: 'again' }>,
  attempts: number,
): Promise<Lease | undefined> {
  const sampling = samplingAfter(prepared.sampling, decoder.length)
  const placement = placementOf(request, decoder.after(prepared.routeIds), sampling, avoid)
  const lease = await placeAgain(model.router, placement, waitAgainMsOf(model), leg.signal)
  if (lease === undefined || !avoid.has(lease.workerId)) return lease
  if (next.where === 'elsewhere') {
    lease.release()
    return undefined
  }
  await backOff(attempts, leg.signal)
  return lease
}

function decoderOf({ index, request, prepared, model, answer }: Choice): ChoiceDecoder {
  return new ChoiceDecoder(
    {
      choice: index,
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

/** What the engine gets: the whole request at first, later the prompt with the ids so far and what is left to produce. */
function engineRequest({ index, request, prepared }: Choice, decoder: ChoiceDecoder, lease: Lease): GenerateRequest {
  const produced = decoder.length
  let sampling = samplingAfter(prepared.sampling, produced)
  // Each choice has its own seed, or all would be the same answer.
  if (index > 0 && sampling.sampling_seed !== undefined) sampling = { ...sampling, sampling_seed: sampling.sampling_seed + index }
  const made: GenerateRequest = {
    requestId: request.requestId,
    promptIds: decoder.after(prepared.promptIds),
    sampling,
    stream: request.stream,
  }
  if (produced > 0) made.resumed = produced
  if (prepared.media !== undefined) made.media = prepared.media
  // What was produced since is ids.
  if (prepared.mediaText !== undefined && produced === 0) made.mediaText = prepared.mediaText
  if (prepared.chat !== undefined) made.chat = prepared.chat
  if (request.topLogprobs !== undefined) made.logprobs = { top: request.topLogprobs, promptStart: request.echo && produced === 0 ? 0 : -1 }
  if (request.priority !== undefined) made.priority = request.priority
  if (lease.dpRank !== undefined) made.dpRank = lease.dpRank
  if (request.lora !== undefined) made.lora = request.lora
  if (request.cacheSalt !== undefined) made.cacheSalt = request.cacheSalt
  if (request.extraKey !== undefined) made.extraKey = request.extraKey
  return made
}
