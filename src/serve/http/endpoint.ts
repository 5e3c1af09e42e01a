// Around every handler of the API: id, limits, body, errors, log line. Each request leaves here with exactly one of each.
import { AppError, clientGone, toAppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Call, Handler } from '../../openai/call.ts'
import { errorResponse } from '../../openai/errors.ts'
import type { Outcome } from '../../openai/outcome.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import type { LifeState } from '../lifecycle.ts'
import { countStart, type Entry, logEnd } from './access-log.ts'
import { isForm, readForm } from './form.ts'
import { type InFlight, type Limits, readJson } from './limits.ts'
import { requestIdOf } from './request-id.ts'

export interface EndpointDeps {
  pipeline: Pick<Pipeline, 'models'>
  /** Models of images and videos, where this process has some. */
  media?: { models(): readonly { id: string; aliases: readonly string[] }[] }
  limits: Limits
  state(): LifeState
  log: Logger
  /** Where the line for each request goes; absent: `log`. */
  accessLog?: Logger
  /** What browsers of other sites may read: `*`, one origin, or absent for none. */
  corsOrigin?: string
}

/** What the endpoint needs of Bun's server: how long a silent connection may stay. */
export interface SocketTimer {
  timeout(request: Request, seconds: number): void
}

/** States in which new requests are refused. */
const stopping: ReadonlySet<LifeState> = new Set(['draining', 'stopped'])

export type RawHandler = (request: Request, server?: SocketTimer) => Promise<Response>

/** Seconds that an answered connection may idle before it is closed. */
const KEEP_ALIVE_SECS = 120

/** `name` is the endpoint's label in metrics. */
export function endpoint(name: string, path: string, handler: Handler, deps: EndpointDeps, inFlight: InFlight): RawHandler {
  return (request, server) => new EndpointCall(name, path, request, server, deps, inFlight).answer(handler)
}

class EndpointCall implements Call {
  requestId: string
  readonly receivedAt = performance.now()
  readonly headers: Headers
  readonly signal: AbortSignal
  body: unknown
  readonly #name: string
  readonly #request: Request
  readonly #server: SocketTimer | undefined
  readonly #deps: EndpointDeps
  readonly #inFlight: InFlight
  readonly #entry: Entry
  #label = ''
  #entered = false
  #over = false

  constructor(name: string, path: string, request: Request, server: SocketTimer | undefined, deps: EndpointDeps, inFlight: InFlight) {
    this.#name = name
    this.#request = request
    this.#server = server
    this.#deps = deps
    this.#inFlight = inFlight
    this.headers = request.headers
    this.signal = request.signal
    this.requestId = requestIdOf(request.headers)
    // Where the route is a pattern, the line tells what was asked for.
    const asked = /[:*]/.test(path) ? new URL(request.url).pathname.slice(0, 300) : path
    this.#entry = { id: this.requestId, method: request.method, path: asked, receivedAt: this.receivedAt }
  }

  get url(): string {
    return this.#request.url
  }

  async answer(handler: Handler): Promise<Response> {
    let response: Response
    try {
      // What is only looked at may be looked at to the end: a job that still runs, a file that is done.
      if (stopping.has(this.#deps.state()) && this.#request.method === 'POST') throw isStopping()
      this.#inFlight.enter()
      this.#entered = true
      if (this.#request.method === 'POST') this.body = handler.takesNoBody === true ? null : await this.#read(handler.takesForms === true)
      response = await handler(this)
      this.#entry.status = response.status
    } catch (thrown) {
      const error = withOverloadStatus(whileLeaving(toAppError(thrown), this.#deps.state()), this.#deps.limits.overloadStatus)
      this.outcome({ error })
      response = errorResponse(error)
      // The rest of an unread body would be taken for the next request.
      if (this.body === undefined && this.#request.method === 'POST') response.headers.set('connection', 'close')
    }
    response.headers.set('x-request-id', this.requestId)
    if (this.#deps.corsOrigin !== undefined && this.headers.get('origin') !== null)
      response.headers.set('access-control-allow-origin', this.#deps.corsOrigin)
    return response
  }

  #read(takesForms: boolean): Promise<unknown> {
    if (takesForms && isForm(this.headers.get('content-type'))) return readForm(this.#request, this.#deps.limits)
    return readJson(this.#request, this.#deps.limits, takesForms ? 'JSON or multipart/form-data' : 'JSON')
  }

  begin(model: string, stream: boolean): void {
    const named = (one: { id: string; aliases: readonly string[] }) => one.id === model || one.aliases.includes(model)
    const served = this.#deps.pipeline.models().find(named) ?? this.#deps.media?.models().find(named)
    this.#label = served?.id ?? 'unknown'
    this.#entry.model = model.slice(0, 200)
    this.#entry.stream = stream
    countStart(this.#entry, this.#name, this.#label)
  }

  outcome(outcome: Outcome): void {
    if (this.#over) return
    this.#over = true
    if (this.#entered) this.#inFlight.leave()
    this.#entry.id = this.requestId
    this.#server?.timeout(this.#request, KEEP_ALIVE_SECS)
    if (outcome.sent === undefined) this.#tell(outcome)
    else void this.#taken(outcome.sent).then((whole) => this.#tell(whole ? outcome : { ...outcome, error: clientGone() }))
  }

  #tell(outcome: Outcome): void {
    logEnd(this.#entry, this.#name, this.#label, outcome, this.#deps.accessLog ?? this.#deps.log)
  }

  /** As `sent` says, unless the client leaves before: nobody asks for the body of an answer that nobody waits for. */
  #taken(sent: Promise<boolean>): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    sent.then(resolve)
    if (this.signal.aborted) resolve(false)
    else this.signal.addEventListener('abort', () => resolve(false), { once: true })
    return promise
  }
}

function isStopping(cause?: AppError): AppError {
  return new AppError('shutting_down', {
    message: 'The server is stopping. Send the request again, to another server if there is one.',
    retryAfterSecs: 5,
    cause,
  })
}

/** Where a process leaves, its engines may have left before it: nobody has to wait for those here. */
function whileLeaving(error: AppError, state: LifeState): AppError {
  const absent = error.code === 'engine_unavailable' || error.code === 'encoder_unavailable'
  return absent && state !== 'starting' && state !== 'ready' ? isStopping(error) : error
}

/** Whoever refuses for overload, the status is the one that the operator chose (DYN_HTTP_OVERLOAD_STATUS_CODE). */
function withOverloadStatus(error: AppError, status: number): AppError {
  if (error.code !== 'overloaded' || error.status === status) return error
  const { message, retryAfterSecs, cause } = error
  return new AppError('overloaded', { message, status, retryAfterSecs, cause })
}
