// What a client may cost before its request is understood: body size, time to send it, requests at once. The shape of JSON: lib/json-limits.ts.
import { AppError } from '../../lib/errors.ts'
import { keepNumbers } from '../../lib/exact-json.ts'
import { parseJson } from '../../lib/json-limits.ts'

export interface Limits {
  bodyBytes: number
  /** From the head to the last byte of the body. Bun itself ends connections that are slow with their head, after 12 s. */
  bodyMs: number
  /** HTTP requests at once; 0: no limit. */
  inFlight: number
  /** Status of a refusal for overload (DYN_HTTP_OVERLOAD_STATUS_CODE). */
  overloadStatus: number
}

export const defaultLimits: Limits = { bodyBytes: 45 << 20, bodyMs: 60_000, inFlight: 0, overloadStatus: 529 }

const DISCARD_BYTES = 256 << 20
const DISCARD_MS = 5000

/** The body as parsed JSON; `kinds` is for people. Throws `unsupported_media_type`, `body_too_large`, `request_timeout`, `invalid_json`, and what parseJson throws. */
export async function readJson(request: Request, limits: Limits, kinds = 'JSON'): Promise<unknown> {
  const type = request.headers.get('content-type')
  if (type !== 'application/json' && !isJson(type))
    throw new AppError('unsupported_media_type', {
      message: `The request body must be ${kinds}: send the header 'content-type: application/json'${type === null ? '' : ` instead of '${type.slice(0, 60)}'`}.`,
    })
  const length = await knownLength(request, limits)
  const text = await inTime(length === null ? countedText(request, limits) : request.text(), limits)
  if (text === '') throw new AppError('invalid_json', { message: 'The request body is empty; it must be a JSON object.' })
  // A byte that is no UTF-8 has become a character of three, unless the client sent that character.
  if (length !== null && text.includes('\ufffd') && Buffer.byteLength(text) !== Number(length)) throw notUtf8()
  try {
    const body = parseJson(text, { whole: 'The request body' })
    if (typeof body === 'object' && body !== null) keepNumbers(text, body as Record<string, unknown>)
    return body
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('invalid_json', { message: `The request body is not valid JSON: ${(cause as Error).message}.`, cause })
  }
}

/** The body as it came. Throws `unsupported_media_type` (a content coding), `body_too_large`, `request_timeout`, `client_closed_request`. */
export async function readBytes(request: Request, limits: Limits): Promise<Uint8Array> {
  const length = await knownLength(request, limits)
  return inTime(length === null ? countedBytes(request, limits) : request.bytes(), limits)
}

/** Counts the requests that run; throws `overloaded` at the limit. */
export class InFlight {
  count = 0
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  enter(): void {
    if (this.#limits.inFlight > 0 && this.count >= this.#limits.inFlight)
      throw new AppError('overloaded', {
        message: `The server already works on ${this.count} requests, its limit. Try again shortly.`,
        status: this.#limits.overloadStatus,
        retryAfterSecs: 1,
      })
    this.count++
  }

  leave(): void {
    this.count--
  }
}

/** The length that the head tells, null where it tells none. Throws when it is over the limit, or the body is coded. */
async function knownLength(request: Request, limits: Limits): Promise<string | null> {
  const coding = request.headers.get('content-encoding')
  if (coding !== null && coding !== 'identity')
    throw new AppError('unsupported_media_type', {
      message: `Bodies are read as they are: send this one without 'content-encoding: ${coding.slice(0, 60)}'.`,
    })
  const length = request.headers.get('content-length')
  if (length !== null && Number(length) > limits.bodyBytes) {
    await discard(request, Number(length), Math.min(limits.bodyMs, DISCARD_MS))
    throw tooLarge(limits)
  }
  return length
}

function notUtf8(): AppError {
  return new AppError('invalid_json', { message: 'The request body is not UTF-8, as JSON has to be. Send it in that encoding.' })
}

function isJson(type: string | null): boolean {
  return type !== null && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)
}

function tooLarge(limits: Limits): AppError {
  const megabytes = limits.bodyBytes / (1 << 20)
  return new AppError('body_too_large', {
    message: `The request body is larger than ${Number(megabytes.toFixed(3))} MB, the limit set by DYN_HTTP_BODY_LIMIT_MB.`,
  })
}

function inTime<Body>(reading: Promise<Body>, limits: Limits): Promise<Body> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AppError('request_timeout', { message: `The request body did not arrive within ${limits.bodyMs / 1000} s.` })),
      limits.bodyMs,
    )
    reading.then(
      (text) => {
        clearTimeout(timer)
        resolve(text)
      },
      (cause) => {
        clearTimeout(timer)
        reject(
          cause instanceof AppError
            ? cause
            : new AppError('client_closed_request', { message: 'The connection closed while the body was read.', cause }),
        )
      },
    )
  })
}

/** Many clients read an answer only when they have sent everything: a moderate excess is read away, a large or slow one cut off. */
async function discard(request: Request, length: number, ms: number): Promise<void> {
  if (length > DISCARD_BYTES || request.body === null) return
  const reader = request.body.getReader()
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), ms)
  try {
    while (!(await reader.read()).done);
  } catch {
    // The client is gone; so is the reason to answer it.
  } finally {
    clearTimeout(timer)
  }
}

/** A body of unknown length (chunked), read no further than the limit. */
async function countedText(request: Request, limits: Limits): Promise<string> {
  if (request.body === null) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  try {
    for await (const chunk of counted(request.body, limits)) text += decoder.decode(chunk, { stream: true })
    return text + decoder.decode()
  } catch (thrown) {
    throw thrown instanceof TypeError ? notUtf8() : thrown
  }
}

async function countedBytes(request: Request, limits: Limits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  if (request.body !== null) for await (const chunk of counted(request.body, limits)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* counted(body: ReadableStream<Uint8Array>, limits: Limits): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > limits.bodyBytes) throw tooLarge(limits)
    yield chunk
  }
}
