// Every failure a user can see has a code from this list. AppError is made where the cause is known; openai/errors.ts turns it into bytes.

/** code → HTTP status and OpenAI's error type. */
export const errorCodes = {
  invalid_json: [400, 'invalid_request_error'],
  invalid_form: [400, 'invalid_request_error'],
  missing_parameter: [400, 'invalid_request_error'],
  unknown_parameter: [400, 'invalid_request_error'],
  unsupported_parameter: [400, 'invalid_request_error'],
  invalid_type: [400, 'invalid_request_error'],
  invalid_value: [400, 'invalid_request_error'],
  invalid_template: [400, 'invalid_request_error'],
  invalid_grammar: [400, 'invalid_request_error'],
  context_length_exceeded: [400, 'invalid_request_error'],
  engine_rejected: [400, 'invalid_request_error'],
  invalid_image: [400, 'invalid_request_error'],
  model_not_found: [404, 'invalid_request_error'],
  route_not_found: [404, 'invalid_request_error'],
  media_not_found: [404, 'invalid_request_error'],
  method_not_allowed: [405, 'invalid_request_error'],
  job_not_finished: [409, 'invalid_request_error'],
  job_cancelled: [409, 'invalid_request_error'],
  job_failed: [409, 'invalid_request_error'],
  request_timeout: [408, 'invalid_request_error'],
  body_too_large: [413, 'invalid_request_error'],
  unsupported_media_type: [415, 'invalid_request_error'],
  rate_limit_exceeded: [429, 'rate_limit_error'],
  client_closed_request: [499, 'invalid_request_error'],
  internal_error: [500, 'server_error'],
  engine_failed: [500, 'server_error'],
  tokens_lost: [500, 'server_error'],
  out_of_memory: [500, 'server_error'],
  encoding_failed: [500, 'server_error'],
  encoder_failed: [500, 'server_error'],
  storage_failed: [507, 'server_error'],
  engine_unavailable: [503, 'server_error'],
  encoder_unavailable: [503, 'server_error'],
  shutting_down: [503, 'server_error'],
  server_restarted: [503, 'server_error'],
  overloaded: [529, 'server_error'],
  // Start-up failures: shown on the terminal, never over HTTP.
  invalid_setting: [400, 'startup_error'],
  port_in_use: [500, 'startup_error'],
  model_path_not_found: [400, 'startup_error'],
  model_files_invalid: [400, 'startup_error'],
  python_not_found: [500, 'startup_error'],
  sglang_not_found: [500, 'startup_error'],
  sglang_unsupported: [500, 'startup_error'],
  sglang_failed: [500, 'startup_error'],
} as const satisfies Record<string, readonly [status: number, type: string]>

export type ErrorCode = keyof typeof errorCodes

export interface AppErrorOptions {
  /** What happened and what to do next; safe to show to a client. */
  message: string
  /** The request field or the flag at fault, as the user wrote it (`messages[0].content`, `--http-port`). */
  param?: string | undefined
  /** Overrides the code's status, for statuses that an engine chose. */
  status?: number | undefined
  retryAfterSecs?: number | undefined
  cause?: unknown
}

/** The one error class of the product. `message` goes to clients, `cause` only to the log. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly status: number
  readonly type: string
  readonly param: string | null
  readonly retryAfterSecs: number | undefined

  constructor(code: ErrorCode, options: AppErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status ?? errorCodes[code][0]
    this.type = errorCodes[code][1]
    this.param = options.param ?? null
    this.retryAfterSecs = options.retryAfterSecs
  }
}

/** Any thrown thing as an AppError; what is not one becomes `internal_error` with the cause kept for the log. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  return new AppError('internal_error', { message: 'Internal error. The server log has the cause under this request id.', cause: thrown })
}

/** Its caller wants it no more. */
export function requestCancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}

/** Nobody is there to hear the answer. */
export function clientGone(): AppError {
  return new AppError('client_closed_request', { message: 'The client closed the connection.' })
}
