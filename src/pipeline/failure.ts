// What a failed attempt means: whether another worker may take the request, and what the client is told if none does.
import type { Finish } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import type { TextRequest } from './types.ts'

/** How an attempt ended without an answer: a failure of the engine, or its abort row. */
export type Cause = AppError | Extract<Finish, { kind: 'abort' }>

/** Where a request may be tried again: on any worker (this one may be back by then), only on another one, or nowhere. */
export type Again = 'anywhere' | 'elsewhere' | 'never'

const lost = new Set(['engine_failed', 'engine_unavailable', 'shutting_down'])

/** An engine's death, a lost connection and an abort that we did not ask for are nobody's fault; what an engine refuses, others refuse too. */
export function again(cause: Cause): Again {
  if (cause instanceof AppError) return cause.code === 'overloaded' ? 'elsewhere' : lost.has(cause.code) ? 'anywhere' : 'never'
  if (cause.status === undefined) return cause.errorType === undefined ? 'anywhere' : 'never'
  if (allowsNothing(cause)) return 'never'
  return cause.status >= 500 ? 'elsewhere' : 'never'
}

/** SGLang calls it its own error (500) when a constraint lets no first token through, such as the schema `{"$ref": "#"}`: it would be so on every worker. */
function allowsNothing({ message }: Extract<Finish, { kind: 'abort' }>): boolean {
  return message.startsWith('Grammar accept_token failed') && message.includes('Accepted tokens: []')
}

/** In one word, for the log line and `migrations_total`. */
export function reasonOf(cause: Cause): string {
  if (cause instanceof AppError) return cause.code
  return cause.status === undefined ? 'aborted' : 'engine_refused'
}

/** The error that the client is told: an engine's own words where it refused, else that it was ended from outside. */
export function toldAs(cause: Cause, request: TextRequest): AppError {
  if (cause instanceof AppError) return cause
  if (cause.status === undefined && cause.errorType === undefined)
    return new AppError('engine_unavailable', {
      message: `The engine ended this request: ${cause.message || 'aborted'}. It is safe to send it again.`,
      retryAfterSecs: 1,
    })
  const param = request.constrainedBy
  if (param !== undefined && allowsNothing(cause))
    return new AppError('invalid_grammar', {
      message: `No answer can begin under this constraint. A schema that only refers to itself, for one, allows none. The engine's words: ${cause.message}`,
      param,
    })
  const status = cause.status ?? 500
  if (status >= 500)
    return new AppError('engine_failed', { message: cause.message, status, retryAfterSecs: status === 503 ? 1 : undefined })
  if (param !== undefined && /grammar|schema|regex|ebnf|structural/i.test(cause.message))
    return new AppError('invalid_grammar', { message: cause.message, status, param })
  return new AppError('engine_rejected', { message: cause.message, status })
}
