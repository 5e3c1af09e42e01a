// etcd's v3 API over its JSON gateway, as far as discovery needs it. Plain HTTP: no client library, nothing to embed, and a stream that ends is seen at once.
// int64 fields are decimal strings there, keys and values base64, and what is zero is left out.
import { readFileSync } from 'node:fs'
import { AppError } from '../../lib/errors.ts'
import { jsonLines } from '../json-lines.ts'
import type { EtcdOptions } from '../options.ts'

/** An answer, or the lack of one, is waited for so long. */
const answerMs = 1000
const unauthenticated = 16
const permissionDenied = 7

export interface KeyValue {
  readonly key: string
  readonly value?: string
  readonly mod_revision: string
  readonly lease?: string
}

export interface WatchMessage {
  readonly header?: { readonly revision?: string }
  readonly events?: readonly { readonly type?: 'DELETE'; readonly kv: KeyValue }[]
  readonly canceled?: boolean
  readonly compact_revision?: string
}

interface Failure {
  readonly code?: number
  readonly error?: string
  readonly message?: string
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64')
export const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString()

export class EtcdClient {
  private readonly endpoints: readonly string[]
  private readonly options: EtcdOptions
  private readonly tls: { ca?: string; cert?: string; key?: string } | undefined
  private current = 0
  private token: string | undefined

  /** Reads the TLS files. */
  constructor(options: EtcdOptions) {
    this.options = options
    const scheme = options.tls === undefined ? 'http' : 'https'
    this.endpoints = options.endpoints.map((endpoint) =>
      (endpoint.includes('://') ? endpoint : `${scheme}://${endpoint}`).replace(/\/+$/, ''),
    )
    const text = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'))
    const { caFile, certFile, keyFile } = options.tls ?? {}
    const [ca, cert, key] = [text(caFile), text(certFile), text(keyFile)]
    if (options.tls !== undefined) this.tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  }

  get name(): string {
    return `etcd at ${this.endpoints.join(', ')}`
  }

  /** Throws an Error that names the endpoint and what it said; a next call tries the next endpoint when this one does not answer. */
  async call<T>(path: string, body: object): Promise<T> {
    const answer = await this.post(path, body, AbortSignal.timeout(answerMs))
    return (await answer.json()) as T
  }

  /** Calls `onMessage` for each message until the stream ends (resolves) or breaks (throws). */
  async stream<T>(path: string, body: object, signal: AbortSignal, onMessage: (message: T) => void): Promise<void> {
    // The head comes with the first message, and etcd confirms a watch at once.
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error('no answer')), answerMs)
    try {
      const answer = await this.post(path, body, AbortSignal.any([signal, late.signal]))
      await jsonLines<{ result?: T; error?: unknown }>(answer, (line) => {
        clearTimeout(timer)
        if (line.result === undefined) throw new Error(`${this.name}: ${JSON.stringify(line.error)}`)
        onMessage(line.result)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  private async post(path: string, body: object, signal: AbortSignal): Promise<Response> {
    if (this.options.user !== undefined) this.token ??= await this.authenticate(signal)
    const answer = await this.send(path, body, signal)
    if (answer.ok) return answer
    const text = await answer.text()
    const failure = parse(text)
    if (failure.code === unauthenticated && this.token !== undefined) {
      this.token = await this.authenticate(signal)
      const again = await this.send(path, body, signal)
      if (again.ok) return again
    }
    const message = `${this.name} refused ${path}: ${failure.message ?? failure.error ?? (text.trim() || `status ${answer.status}`)}`
    if (failure.code !== permissionDenied && !/user name is empty/.test(message)) throw new Error(message)
    throw new AppError('invalid_setting', {
      message: `${message}. Set ETCD_AUTH_USERNAME and ETCD_AUTH_PASSWORD to a user that may read and write /dynamo-sglang/.`,
      param: 'ETCD_AUTH_USERNAME',
    })
  }

  private async authenticate(signal: AbortSignal): Promise<string> {
    const answer = await this.send('/v3/auth/authenticate', { name: this.options.user, password: this.options.password ?? '' }, signal)
    const text = await answer.text()
    const token = answer.ok ? (JSON.parse(text) as { token?: string }).token : undefined
    if (token === undefined)
      throw new AppError('invalid_setting', {
        message: `${this.name} does not accept user '${this.options.user}': ${parse(text).message ?? text.trim()}`,
        param: 'ETCD_AUTH_USERNAME',
      })
    return token
  }

  private async send(path: string, body: object, signal: AbortSignal): Promise<Response> {
    const endpoint = this.endpoints[this.current % this.endpoints.length]!
    try {
      return await fetch(`${endpoint}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: this.token === undefined ? {} : { authorization: this.token },
        signal,
        timeout: false,
        ...(this.tls === undefined ? {} : { tls: this.tls }),
      } as RequestInit)
    } catch (cause) {
      this.current++
      throw new Error(`etcd at ${endpoint} does not answer: ${(cause as Error).message}`, { cause })
    }
  }
}

function parse(text: string): Failure {
  try {
    return JSON.parse(text) as Failure
  } catch {
    return {} // The caller shows the text itself.
  }
}
