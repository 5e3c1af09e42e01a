// Sampling fields of a request to SGLang's names. A field that the client left out stays out: the engine has the default.
import type { SamplingParams } from '../../engine/types.ts'
import type { GenerationBody } from '../schema/common.ts'
import { invalid } from './faults.ts'

const same = [
  'temperature',
  'min_p',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'ignore_eos',
  'spaces_between_special_tokens',
  'no_stop_trim',
  'logit_bias',
  'custom_params',
] as const

/** Everything but stop strings. `maxTokens` absent: the model decides. Throws `invalid_value` for fields that contradict each other. */
export function samplingOf(body: GenerationBody, maxTokens: number | undefined, maxTokensParam: string): SamplingParams {
  const sampling: SamplingParams = {}
  const target = sampling as Record<string, unknown>
  for (const name of same) if (body[name] != null) target[name] = body[name]
  const { nvext } = body
  if (nvext?.ignore_eos != null) sampling.ignore_eos ??= nvext.ignore_eos
  if (nvext?.repetition_penalty != null) sampling.repetition_penalty ??= nvext.repetition_penalty
  if (maxTokens !== undefined) sampling.max_new_tokens = maxTokens
  if (body.min_tokens != null) {
    if (maxTokens !== undefined && body.min_tokens > maxTokens)
      throw invalid('min_tokens', `it must be at most '${maxTokensParam}' (${maxTokens}), but it is ${body.min_tokens}`)
    sampling.min_new_tokens = body.min_tokens
  }
  // SGLang wants -1 for "all", and no top_p of 0; only the likeliest token is left then.
  const topK = body.top_k ?? nvext?.top_k
  if (topK != null) sampling.top_k = topK === 0 ? -1 : topK
  if (body.top_p === 0) sampling.top_k = 1
  else if (body.top_p != null) sampling.top_p = body.top_p
  if (body.seed != null) sampling.sampling_seed = body.seed
  if (body.stop_regex != null) sampling.stop_regex = typeof body.stop_regex === 'string' ? [body.stop_regex] : body.stop_regex
  const stopIds = stopIdsOf(body)
  if (stopIds.length > 0) sampling.stop_token_ids = stopIds
  if (nvext?.greed_sampling === true) {
    sampling.temperature = 0
    sampling.top_k = 1
  }
  return sampling
}

/** The stop strings; empty ones would stop at once and are refused. */
export function stopsOf(body: GenerationBody): string[] {
  const { stop } = body
  if (stop == null) return []
  const stops = typeof stop === 'string' ? [stop] : stop.filter((one) => typeof one === 'string')
  const empty = stops.indexOf('')
  // A lone empty string is what some clients send for "none".
  if (typeof stop === 'string' && stop === '') return []
  if (empty >= 0) throw invalid(`stop[${empty}]`, 'a stop string must not be empty')
  return stops
}

function stopIdsOf(body: GenerationBody): number[] {
  const ids = body.stop_token_ids ?? []
  if (body.stop == null || typeof body.stop === 'string') return ids
  const mixed = body.stop.filter((one) => typeof one === 'number')
  return mixed.length === 0 ? ids : [...ids, ...mixed]
}
