// What the bridge tells about its engine and its refusals, in our words.
import { AppError } from '../../lib/errors.ts'
import type { EngineInfo, EngineRole } from '../types.ts'
import type { Ready } from './frames.ts'

/** The bridge refused a request before SGLang saw it. */
export function refused(status: number, errorType: string, message: string): AppError {
  if (status === 503) return new AppError('engine_unavailable', { message, retryAfterSecs: 1 })
  if (status >= 500) return new AppError('engine_failed', { message, status })
  const grammar = errorType === 'invalid_grammar'
  return new AppError(grammar ? 'invalid_grammar' : 'engine_rejected', { message, status })
}

export function toInfo(ready: Ready): EngineInfo {
  return {
    kind: 'sglang',
    version: ready.sglang,
    level: ready.level,
    modelPath: ready.model_path,
    isEmbedding: ready.is_embedding,
    contextLength: ready.context_len,
    maxPromptTokens: ready.max_req_input_len,
    vocabSize: ready.vocab_size,
    eosIds: ready.eos_ids,
    blockSize: ready.block_size,
    dpSize: ready.dp_size,
    maxRunningRequests: ready.max_running_requests,
    totalKvTokens: Math.floor(ready.max_total_tokens / Math.max(1, ready.dp_size)),
    role: roleOf(ready.disaggregation_mode),
    ...(ready.bootstrap ? { bootstrap: ready.bootstrap } : {}),
    ...(ready.max_prefill_tokens ? { maxPrefillTokens: ready.max_prefill_tokens } : {}),
    tpSize: ready.tp_size ?? 1,
    isMla: ready.is_mla === true,
    ...(ready.sight ? { sight: sightOf(ready.sight) } : {}),
    ...(ready.keeps_prefixes === false ? { forgets: true as const } : {}),
    kvEvents: (ready.kv_events ?? []).length > 0,
  }
}

function sightOf({ pad, clips, sounds }: NonNullable<Ready['sight']>): NonNullable<EngineInfo['sight']> {
  return { ...(pad ? { padScheme: pad } : {}), ...(clips ? { clips: 'frames' } : {}), ...(sounds === true ? { sounds } : {}) }
}

/** SGLang's --disaggregation-mode as a role. */
export function roleOf(mode: unknown): EngineRole {
  return mode === 'prefill' || mode === 'decode' || mode === 'encode' ? mode : 'aggregated'
}
