// AppErrors in OpenAI's shape: whole answers and events inside a stream. The only file that knows that shape.
import type { AppError } from '../lib/errors.ts'

/** The `error` member. */
export function errorBody(error: AppError) {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } }
}

/** Statuses that say "not now": clients and proxies want to know when. */
const notNow: ReadonlySet<number> = new Set([429, 503, 529])

/** A whole answer. */
export function errorResponse(error: AppError, headers?: Record<string, string>): Response {
  const all: Record<string, string> = { 'content-type': 'application/json', ...headers }
  const retryAfter = error.retryAfterSecs ?? (notNow.has(error.status) ? 1 : undefined)
  if (retryAfter !== undefined) all['retry-after'] = String(Math.ceil(retryAfter))
  return new Response(JSON.stringify(errorBody(error)), { status: error.status, headers: all })
}

/** An event in a stream that has begun; the stream ends after it. */
export function errorEvent(error: AppError): string {
  return `data: ${JSON.stringify(errorBody(error))}\n\n`
}
