// After a failed attempt: is the answer over anyway, may another worker go on with it, or is the failure the end? Pure.
import type { SamplingParams } from '../../engine/types.ts'
import { again, type Cause } from '../failure.ts'

/** Where one choice stands when its attempt has failed. */
export interface Standing {
  promptTokens: number
  /** Tokens of all attempts so far. */
  produced: number
  /** The last token ends answers (EOS or a stop id of the request); undefined: it does not. */
  endingId: number | undefined
  /** As the first attempt had it. */
  sampling: SamplingParams
  /** Attempts so far, the failed one included. */
  attempts: number
  /** Attempts that may follow the first. */
  limit: number
  contextLength: number
  maxPromptTokens: number
}

export type Next =
  | { kind: 'again'; where: 'anywhere' | 'elsewhere' }
  /** All that was asked for is there; only the engine's word for it was lost. */
  | { kind: 'over'; finish: { kind: 'length' } | { kind: 'stop'; matched: number } }
  | { kind: 'failed'; why: string }

export function nextStep(cause: Cause, standing: Standing): Next {
  const { promptTokens, produced, endingId, sampling, attempts, limit, contextLength, maxPromptTokens } = standing
  const where = again(cause)
  if (where === 'never') return { kind: 'failed', why: 'the failure is the same everywhere' }
  if (produced > 0) {
    if (endingId !== undefined && sampling.ignore_eos !== true) return { kind: 'over', finish: { kind: 'stop', matched: endingId } }
    if (produced >= (sampling.max_new_tokens ?? Number.POSITIVE_INFINITY)) return { kind: 'over', finish: { kind: 'length' } }
    if (promptTokens === 0) return { kind: 'failed', why: 'the engine tokenized the prompt, so its ids are not known' }
    if (sampling.stop_regex !== undefined) return { kind: 'failed', why: 'engines look for stop_regex in their own tokens only' }
    // No engine would take such a prompt; the few tokens that may have fitted are given up.
    if (promptTokens + produced >= Math.min(maxPromptTokens + 1, contextLength)) return { kind: 'over', finish: { kind: 'length' } }
  }
  if (attempts > limit) return { kind: 'failed', why: limit === 0 ? 'migration is off' : `it was tried ${attempts} times` }
  return { kind: 'again', where }
}

/** The sampling of an attempt that goes on after `produced` tokens: the lengths are what is left of them. */
export function samplingAfter(sampling: SamplingParams, produced: number): SamplingParams {
  if (produced === 0) return sampling
  const left = { ...sampling }
  if (left.max_new_tokens !== undefined) left.max_new_tokens -= produced
  if (left.min_new_tokens !== undefined) left.min_new_tokens = Math.max(0, left.min_new_tokens - produced)
  return left
}
