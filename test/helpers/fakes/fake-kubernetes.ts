// The Lease part of a Kubernetes API server, as strict as the real one about what discovery sends: names, labels, times, patch types, tokens.
// It keeps a short history: a watch from before it gets 410. It can drop its watchers, ask callers to wait, stop and come back.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../processes/sglang-server.ts'

interface Stored {
  metadata: {
    name: string
    namespace: string
    resourceVersion: string
    labels: Record<string, string>
    annotations: Record<string, string>
  }
  spec: Record<string, unknown>
}
interface Logged {
  type: string
  version: number
  object: Stored
}
interface Watcher {
  selector: string
  stream: ReadableStreamDefaultController<Uint8Array>
}

const base = '/apis/coordination.k8s.io/v1/namespaces/pods/leases'
const bytes = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value)}\n`)
const status = (code: number, message: string, headers: Record<string, string> = {}) =>
  Response.json({ kind: 'Status', status: 'Failure', code, message }, { status: code, headers })

export class FakeKubernetes {
  readonly port = freePort()
  readonly folder = mkdtempSync(join(tmpdir(), 'service-account-'))
  /** Requests by method, for tests that count. */
  readonly counts: Record<string, number> = {}
  private token = ''
  private version = 1000
  private oldest = 1000
  private leases = new Map<string, Stored>()
  private log: Logged[] = []
  private watchers = new Set<Watcher>()
  private refusing = 0
  private muted = false
  private server: ReturnType<typeof Bun.serve> | undefined

  constructor() {
    writeFileSync(join(this.folder, 'namespace'), 'pods\n')
    this.newToken('first')
    this.start()
  }

  get options() {
    return { apiServer: `http://127.0.0.1:${this.port}`, serviceAccountFolder: this.folder, podName: 'pod-1', podUid: 'uid-1' }
  }

  start(): void {
    this.server = Bun.serve({ hostname: '127.0.0.1', port: this.port, idleTimeout: 0, fetch: (request) => this.answer(request) })
  }

  async stop(): Promise<void> {
    this.watchers.clear()
    await this.server?.stop(true)
  }

  /** Only the new one is accepted from now on. */
  newToken(token: string): void {
    this.token = token
    writeFileSync(join(this.folder, 'token'), token)
  }

  lose(): void {
    this.leases.clear()
    this.compact()
  }

  /** Forgets its history: who watches from before gets 410. */
  compact(): void {
    this.log = []
    this.oldest = this.version += 10
  }

  dropWatchers(how: 'end' | 'error-410' = 'end'): void {
    for (const { stream } of this.watchers) {
      if (how === 'error-410')
        stream.enqueue(bytes({ type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old resource version' } }))
      stream.close()
    }
    this.watchers.clear()
  }

  /** Watches stay open and say nothing more. */
  mute(muted: boolean): void {
    this.muted = muted
  }

  /** The next `count` requests are answered 429. */
  refuse(count: number): void {
    this.refusing = count
  }

  names(): string[] {
    return [...this.leases.keys()]
  }

  lease(name: string): Stored | undefined {
    return this.leases.get(name)
  }

  /** As kubectl would. */
  put(name: string, labels: Record<string, string>, annotations: Record<string, string>, renewTime: string): void {
    this.store('ADDED', { metadata: { name, namespace: 'pods', resourceVersion: '', labels, annotations }, spec: { renewTime } })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const what = url.searchParams.get('watch') === '1' ? 'WATCH' : request.method
    this.counts[what] = (this.counts[what] ?? 0) + 1
    if (request.headers.get('authorization') !== `Bearer ${this.token}`) return status(401, 'Unauthorized')
    if (this.refusing > 0) {
      this.refusing--
      return status(429, 'Too many requests, please try again later.', { 'retry-after': '1' })
    }
    if (!url.pathname.startsWith(base)) return status(403, `cannot access ${url.pathname}`)
    const name = url.pathname.slice(base.length + 1)
    if (what === 'WATCH') return this.watch(url.searchParams)
    if (request.method === 'GET') return name === '' ? this.list(url.searchParams) : this.one(name)
    const body = (await request.json()) as Partial<Stored>
    const type = request.headers.get('content-type')
    if (request.method === 'POST') return this.create(body as Stored)
    if (request.method === 'PATCH')
      return type === 'application/merge-patch+json' ? this.patch(name, body) : status(415, `no patch: ${type}`)
    return this.delete(name, body as { preconditions?: { resourceVersion?: string } })
  }

  private one(name: string): Response {
    const lease = this.leases.get(name)
    return lease === undefined ? status(404, `leases "${name}" not found`) : Response.json(lease)
  }

  /** Pages of 3, so that paging is used. */
  private list(query: URLSearchParams): Response {
    const all = [...this.leases.values()].filter((lease) => matches(lease, query.get('labelSelector')!))
    const from = Number(query.get('continue') ?? 0)
    const next = from + 3 < all.length ? String(from + 3) : ''
    return Response.json({
      kind: 'LeaseList',
      metadata: { resourceVersion: String(this.version), continue: next },
      items: all.slice(from, from + 3),
    })
  }

  private watch(query: URLSearchParams): Response {
    const since = Number(query.get('resourceVersion'))
    const selector = query.get('labelSelector')!
    let watcher: Watcher
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        watcher = { selector, stream }
        if (since < this.oldest || since > this.version) {
          stream.enqueue(bytes({ type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old resource version' } }))
          stream.close()
          return
        }
        stream.enqueue(bytes({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(since) } } }))
        for (const { type, version, object } of this.log)
          if (version > since && matches(object, selector)) stream.enqueue(bytes({ type, object }))
        this.watchers.add(watcher)
      },
      cancel: () => void this.watchers.delete(watcher),
    })
    return new Response(body, { headers: { 'content-type': 'application/json' } })
  }

  private create(lease: Stored): Response {
    const wrong = invalid(lease)
    if (wrong !== undefined) return status(422, wrong)
    if (this.leases.has(lease.metadata.name)) return status(409, 'already exists')
    return Response.json(this.store('ADDED', { ...lease, metadata: { ...lease.metadata, namespace: 'pods' } }), { status: 201 })
  }

  private patch(name: string, change: Partial<Stored>): Response {
    const before = this.leases.get(name)
    if (before === undefined) return status(404, `leases "${name}" not found`)
    const metadata = {
      ...before.metadata,
      ...change.metadata,
      annotations: { ...before.metadata.annotations, ...change.metadata?.annotations },
    }
    const after = { ...before, metadata, spec: { ...before.spec, ...change.spec } }
    const wrong = invalid(after)
    return wrong === undefined ? Response.json(this.store('MODIFIED', after)) : status(422, wrong)
  }

  private delete(name: string, { preconditions }: { preconditions?: { resourceVersion?: string } }): Response {
    const lease = this.leases.get(name)
    if (lease === undefined) return status(404, `leases "${name}" not found`)
    const wanted = preconditions?.resourceVersion
    if (wanted !== undefined && wanted !== lease.metadata.resourceVersion) return status(409, 'another version')
    this.leases.delete(name)
    this.tell('DELETED', lease)
    return Response.json({ kind: 'Status', status: 'Success' })
  }

  private store(type: string, lease: Stored): Stored {
    const stored = structuredClone(lease)
    this.leases.set(stored.metadata.name, stored)
    this.tell(type, stored)
    return stored
  }

  private tell(type: string, lease: Stored): void {
    lease.metadata.resourceVersion = String(++this.version)
    const object = structuredClone(lease)
    this.log.push({ type, version: this.version, object })
    if (this.log.length > 2000) this.oldest = this.log.shift()!.version
    if (this.muted) return
    const line = bytes({ type, object })
    // In two pieces, as a network would.
    for (const { selector, stream } of this.watchers) {
      if (!matches(object, selector)) continue
      stream.enqueue(line.subarray(0, 100))
      stream.enqueue(line.subarray(100))
    }
  }
}

function matches(lease: Stored, selector: string): boolean {
  const [key, value] = selector.split('=')
  return lease.metadata.labels[key!] === value
}

/** What the API server would refuse. */
function invalid({ metadata, spec }: Stored): string | undefined {
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(metadata.name) || metadata.name.length > 253) return `metadata.name: ${metadata.name}`
  const label = Object.values(metadata.labels).find(
    (value) => !/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(value) || value.length > 63,
  )
  if (label !== undefined) return `metadata.labels: ${label}`
  const size = Object.entries(metadata.annotations).reduce((sum, [key, value]) => sum + key.length + Buffer.byteLength(value), 0)
  if (size > 256 * 1024) return 'metadata.annotations: Too long'
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(spec.renewTime))) return `spec.renewTime: ${spec.renewTime}`
  return undefined
}
