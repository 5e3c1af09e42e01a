// How SGLang says that a request is over, in our words.
import type { Finish } from '../../types.ts'

/** `type` is "stop", "length" or "abort"; `matched` the stop string, stop id, or the ids that ended it. */
export function toFinish(type: unknown, matched: unknown, message: unknown, status: unknown, errorType: unknown): Finish {
  if (type === 'length') return { kind: 'length' }
  if (type === 'stop') return { kind: 'stop', matched: toMatched(matched) }
  const finish: Finish = { kind: 'abort', message: typeof message === 'string' && message !== '' ? message : 'Aborted' }
  if (typeof status === 'number') finish.status = status
  if (typeof errorType === 'string') finish.errorType = errorType
  return finish
}

/** The same from SGLang's own dict (`meta_info.finish_reason`). */
export function finishFromDict(dict: Record<string, unknown>): Finish {
  return toFinish(dict.type, dict.matched, dict.message, dict.status_code, dict.err_type)
}

function toMatched(matched: unknown): string | number | null {
  if (typeof matched === 'string' || typeof matched === 'number') return matched
  if (Array.isArray(matched) && typeof matched.at(-1) === 'number') return matched.at(-1)
  return null
}
