// A server with the hub's routes: model info, HEAD and GET of files with etags, a CDN hop for large files, ranges, faults on demand.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HubServer {
  endpoint: string
  /** Method and path of each request, in order; CDN requests begin with "CDN". */
  requests: string[]
  /** The authorization headers that the CDN got. */
  cdnAuthorization: (string | null)[]
  /** The CDN breaks the connection after this many bytes of a file, once each. */
  cutAfter: number | undefined
  stop(): Promise<void>
}

export interface HubModel {
  sha: string
  files: Record<string, string>
  /** Needs this token. */
  token?: string
}

export function startHub(models: Record<string, HubModel>): HubServer {
  const state = { requests: [] as string[], cdnAuthorization: [] as (string | null)[], cutAfter: undefined as number | undefined }
  const cut = new Set<string>()

  // node:http, because it can break a connection in the middle of a body.
  const cdn = createServer((request, response) => {
    const path = request.url!
    state.requests.push(`CDN ${path}`)
    state.cdnAuthorization.push(request.headers.authorization ?? null)
    const [, model, file] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(path)!
    const bytes = Buffer.from(models[model!]!.files[file!]!)
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from >= bytes.length) return void response.writeHead(416).end()
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from })
    if (state.cutAfter === undefined || cut.has(path)) return void response.end(bytes.subarray(from))
    cut.add(path)
    response.write(bytes.subarray(from, from + state.cutAfter), () => setTimeout(() => response.destroy(), 20))
  })
  cdn.listen(0, '127.0.0.1')
  const hub = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const path = new URL(request.url).pathname
      state.requests.push(`${request.method} ${path}`)
      const match = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(?:revision|resolve)\/([^/]+)\/?(.*)$/.exec(path)
      const model = models[match?.[1] ?? '']
      if (!model) return new Response(null, { status: 404 })
      if (model.token && request.headers.get('authorization') !== `Bearer ${model.token}`) return new Response(null, { status: 401 })
      if (path.startsWith('/api/')) {
        if (match![2] !== 'main' && match![2] !== model.sha) return new Response(null, { status: 404 })
        return Response.json({ sha: model.sha, siblings: Object.keys(model.files).map((rfilename) => ({ rfilename })) })
      }
      const content = model.files[match![3]!]
      if (content === undefined) return new Response(null, { status: 404 })
      if (content.length > 1000) {
        const sha256 = createHash('sha256').update(content).digest('hex')
        const location = `http://127.0.0.1:${(cdn.address() as AddressInfo).port}/${match![1]}/${match![3]}`
        return new Response(null, { status: 302, headers: { location, 'x-linked-etag': `"${sha256}"`, etag: '"pointer"' } })
      }
      const blob = createHash('sha1')
        .update(`blob ${Buffer.byteLength(content)}\0${content}`)
        .digest('hex')
      return new Response(content, { headers: { etag: `W/"${blob}"` } })
    },
  })
  return Object.assign(state, {
    endpoint: hub.url.origin,
    stop: async () => {
      await hub.stop(true)
      cdn.close()
      cdn.closeAllConnections()
    },
  })
}
