// The part of Kubernetes' API that discovery needs: Lease objects of one namespace. Plain fetch: the official client is tens of megabytes of
// generated types and login flows for a server that is asked six things with a service account's token.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { jsonLines } from '../json-lines.ts'
import type { KubernetesOptions } from '../options.ts'

const answerMs = 1500
const rights = 'get, list, watch, create, patch and delete on leases (coordination.k8s.io) in its namespace'
const podFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

export interface Lease {
  readonly metadata: {
    readonly name: string
    readonly resourceVersion?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: { readonly renewTime?: string }
}

export interface LeaseList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly Lease[]
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: Lease & { readonly code?: number; readonly message?: string }
}

/** What the API server said instead of doing it. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export const isStatus = (error: unknown, status: number): boolean => error instanceof KubernetesError && error.status === status

export class KubernetesClient {
  readonly name: string
  private readonly server: string
  private readonly leases: string
  private readonly tokenFile: string
  private readonly ca: string | undefined
  private token = ''
  private tokenStamp = ''
  private quietUntil = 0
  private refusals = 0

  /** Throws AppError `invalid_setting` when the service account's files cannot be read. */
  constructor(options: KubernetesOptions) {
    const folder = options.serviceAccountFolder ?? podFolder
    this.server = options.apiServer.replace(/\/+$/, '')
    this.tokenFile = join(folder, 'token')
    try {
      const namespace = options.podNamespace ?? readFileSync(join(folder, 'namespace'), 'utf8').trim()
      this.leases = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`
      this.name = `Kubernetes at ${this.server}, namespace ${namespace}`
      const caFile = join(folder, 'ca.crt')
      this.ca = existsSync(caFile) ? readFileSync(caFile, 'utf8') : undefined
      this.readToken()
    } catch (cause) {
      throw new AppError('invalid_setting', {
        message: `Discovery over Kubernetes cannot read the service account in ${folder}: ${(cause as Error).message}. Does the pod have automountServiceAccountToken?`,
        param: 'DYN_DISCOVERY_BACKEND',
        cause,
      })
    }
  }

  list(selector: string, next?: string): Promise<LeaseList> {
    return this.call(
      'GET',
      `?${new URLSearchParams({ labelSelector: selector, limit: '500', ...(next === undefined ? {} : { continue: next }) })}`,
    )
  }

  get(name: string): Promise<Lease> {
    return this.call('GET', `/${name}`)
  }

  create(lease: object): Promise<Lease> {
    return this.call('POST', '', lease)
  }

  /** A JSON merge patch. */
  patch(name: string, change: object): Promise<Lease> {
    return this.call('PATCH', `/${name}`, change, 'application/merge-patch+json')
  }

  /** Only that very version, when one is given. */
  async remove(name: string, resourceVersion?: string): Promise<void> {
    await this.call('DELETE', `/${name}`, resourceVersion === undefined ? {} : { preconditions: { resourceVersion } })
  }

  /** Each change after `resourceVersion`. Resolves when the server ends it, as it does every few minutes; `open` when it was accepted. */
  async watch(
    selector: string,
    resourceVersion: string,
    signal: AbortSignal,
    open: () => void,
    onEvent: (event: WatchEvent) => void,
  ): Promise<void> {
    const query = new URLSearchParams({
      labelSelector: selector,
      watch: '1',
      resourceVersion,
      allowWatchBookmarks: 'true',
      timeoutSeconds: '290',
    })
    // The head comes at once, also when nothing happens for minutes.
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error('no answer')), answerMs)
    const answer = await this.send('GET', `?${query}`, AbortSignal.any([signal, late.signal])).finally(() => clearTimeout(timer))
    open()
    await jsonLines(answer, onEvent)
  }

  private async call<T>(method: string, path: string, body?: object, type = 'application/json'): Promise<T> {
    const answer = await this.send(method, path, AbortSignal.timeout(answerMs), body, type)
    return (await answer.json()) as T
  }

  private async send(method: string, path: string, signal: AbortSignal, body?: object, type?: string): Promise<Response> {
    if (performance.now() < this.quietUntil) throw new KubernetesError(429, `${this.server} asked to wait`)
    this.readToken()
    let answer = await this.request(method, path, signal, body, type)
    if (answer.status === 401 && this.readToken(true)) answer = await this.request(method, path, signal, body, type)
    if (answer.status === 429) this.waitAsAsked(Number(answer.headers.get('retry-after')) || 1)
    else this.refusals = 0
    if (answer.ok) return answer
    const said = await answer.text()
    const message = `${this.server} refused ${method} of leases with ${answer.status}: ${messageOf(said)}`
    if (answer.status !== 401 && answer.status !== 403) throw new KubernetesError(answer.status, message)
    throw new AppError('invalid_setting', {
      message: `${message}. The pod's service account needs ${rights}.`,
      param: 'DYN_DISCOVERY_BACKEND',
    })
  }

  /** The first time less than half as long: one refused heartbeat must not look like death. */
  private waitAsAsked(secs: number): void {
    this.quietUntil = performance.now() + (++this.refusals > 1 ? 1 : 0.4) * Math.min(secs, 10) * 1000
  }

  private async request(method: string, path: string, signal: AbortSignal, body?: object, type?: string): Promise<Response> {
    try {
      return await fetch(`${this.server}${this.leases}${path}`, {
        method,
        signal,
        timeout: false,
        headers: { authorization: `Bearer ${this.token}`, accept: 'application/json', ...(body && type ? { 'content-type': type } : {}) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(this.ca === undefined ? {} : { tls: { ca: this.ca } }),
      } as RequestInit)
    } catch (cause) {
      throw new Error(`${this.server} does not answer: ${(cause as Error).message}`, { cause })
    }
  }

  /** Tokens are replaced while the pod runs. Returns whether it is another one now. */
  private readToken(always = false): boolean {
    const { mtimeMs, ino } = statSync(this.tokenFile)
    const stamp = `${mtimeMs} ${ino}`
    if (stamp === this.tokenStamp && !always) return false
    const before = this.token
    this.token = readFileSync(this.tokenFile, 'utf8').trim()
    this.tokenStamp = stamp
    return this.token !== before
  }
}

/** The API server answers with a Status object; what stands before it may not. */
function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    return text.trim().slice(0, 200)
  }
}
