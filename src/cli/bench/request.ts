// The bytes of a load test's requests: a fixed head, a body of OpenAI's shape.
import { AppError } from '../../lib/errors.ts'
import { isCertificateError } from './connection.ts'
import type { BenchOptions } from './options.ts'

/** The API's base: the URL as given, with /v1 when it names no path. */
export function apiUrl(url: URL): URL {
  const base = new URL(url)
  base.pathname = url.pathname === '/' ? '/v1' : url.pathname.replace(/\/+$/, '')
  base.search = ''
  base.hash = ''
  return base
}

/** A function from a request's number to its bytes, head and body. */
export function requestMaker(options: BenchOptions, model: string, prompt: (index: number) => string): (index: number) => Uint8Array {
  const { endpoint, outputTokens, stream, ignoreEos, extraBody, apiKey } = options
  const base = apiUrl(options.url)
  const path = `${base.pathname}/${endpoint === 'chat' ? 'chat/completions' : 'completions'}`
  const fixed = {
    model,
    max_tokens: outputTokens,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    ...(ignoreEos ? { ignore_eos: true } : {}),
    ...extraBody,
  }
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${base.host}`,
    'Content-Type: application/json',
    `Accept: ${stream ? 'text/event-stream' : 'application/json'}`,
    ...(apiKey === undefined ? [] : [`Authorization: Bearer ${apiKey}`]),
    'Content-Length: ',
  ].join('\r\n')
  return (index) => {
    const asked = endpoint === 'chat' ? { messages: [{ role: 'user', content: prompt(index) }] } : { prompt: prompt(index) }
    const body = JSON.stringify({ ...asked, ...fixed })
    return Buffer.from(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }
}

/** The first model that the server lists. Throws AppError when it lists none or does not answer. */
export async function firstModel(options: BenchOptions): Promise<string> {
  const url = `${apiUrl(options.url).href}/models`
  const refuse = (why: string, cause?: unknown) =>
    new AppError('engine_unavailable', { message: `bench: ${url} ${why}; check --url, or name the model with --model`, cause })
  let response: Response
  try {
    const headers: Record<string, string> = options.apiKey === undefined ? {} : { Authorization: `Bearer ${options.apiKey}` }
    const signal = AbortSignal.timeout(Math.min(10, options.timeoutSecs) * 1000)
    response = await fetch(url, { headers, signal, tls: { rejectUnauthorized: !options.insecure } })
  } catch (cause) {
    const { code, message } = cause as { code?: unknown; message: string }
    if (isCertificateError(cause))
      throw new AppError('engine_unavailable', {
        message: `bench: the certificate of ${url} is refused: ${message} (${code}); --insecure takes any`,
        cause,
      })
    throw refuse(`does not answer (${message})`, cause)
  }
  if (!response.ok) throw refuse(`answers ${response.status}`)
  const listed = (await response.json().catch(() => undefined)) as { data?: { id?: unknown }[] } | undefined
  const id = listed?.data?.[0]?.id
  if (typeof id !== 'string') throw refuse('lists no model')
  return id
}
