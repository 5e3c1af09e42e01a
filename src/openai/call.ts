// What a handler gets: the HTTP request, already read and named, and what it may use.
import type { Pipeline } from '../pipeline/types.ts'
import type { Outcome } from './outcome.ts'

export interface Call {
  /** Known before the body is read; the body's `rid` replaces it when the client sent no header. */
  requestId: string
  /** performance.now() when the request's head was read. */
  receivedAt: number
  headers: Headers
  /** As the client wrote it: scheme, Host header, path and query. */
  readonly url: string
  /** The parsed JSON body; of a handler that takes forms, it may be FormFields (media/form-fields.ts). */
  body: unknown
  /** The client's connection. */
  signal: AbortSignal
  /** Called once when the body is known to be good: for the access log and the counters. */
  begin(model: string, stream: boolean): void
  /** Called once when the answer is over, however it ended. A streamed answer is over later than the handler. */
  outcome(outcome: Outcome): void
}

/** What a request is made of before anyone runs it. */
export type Unrun = Pick<Call, 'requestId' | 'receivedAt' | 'headers' | 'body'>

export interface Api {
  pipeline: Pipeline
  /** Unknown fields are dropped instead of refused (DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS). */
  ignoreUnknownFields: boolean
  /** `tool_choice: "none"` hides the tools from the template, the default (DYN_EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE). */
  excludeToolsWhenNone?: boolean
}

/** Answers one call. Throws AppErrors. */
export interface Handler {
  (call: Call): Promise<Response>
  /** Bodies may be multipart forms too. */
  readonly takesForms?: boolean
  /** A POST that is only asked for: what its body says is not read. */
  readonly takesNoBody?: boolean
}

/** A handler whose bodies may be JSON or multipart forms. */
export function takingForms(handler: (call: Call) => Promise<Response>): Handler {
  return Object.assign((call: Call) => handler(call), { takesForms: true })
}

/** Seconds since 1970, for `created`. */
export function nowSecs(): number {
  return Math.floor(Date.now() / 1000)
}

/** A JSON answer. */
export function json(body: unknown, headers?: Record<string, string>): Response {
  return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json', ...headers } })
}
