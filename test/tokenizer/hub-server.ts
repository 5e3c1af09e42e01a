// A server with the hub's routes: model info, HEAD and GET of files with etags, a CDN hop for large files, ranges, faults on demand.
import { createHash } from 'node:crypto'

export interface HubServer {
  endpoint: string
  /** Method and path of each request, in order; CDN requests begin with "CDN". */
  requests: string[]
  /** The authorization headers that the CDN got. */
  cdnAuthorization: (string | null)[]
  /** Files are cut off after this many bytes, once each. */
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

  function body(request: Request, content: string, name: string, headers: Record<string, string>): Response {
    const bytes = Buffer.from(content)
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get('range') ?? '')?.[1] ?? 0)
    if (from >= bytes.length && from > 0) return new Response(null, { status: 416 })
    const rest = bytes.subarray(from)
    const limit = state.cutAfter
    if (limit !== undefined && !cut.has(name) && rest.length > limit) {
      cut.add(name)
      const stream = new ReadableStream({
        async start(controller) {
          controller.enqueue(rest.subarray(0, limit))
          await Bun.sleep(20)
          controller.error(new Error('cut'))
        },
      })
      return new Response(stream, { headers })
    }
    return new Response(rest, { status: from > 0 ? 206 : 200, headers })
  }

  const cdn = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    error: () => new Response(null, { status: 500 }), // the wanted cut is not worth a stack trace
    fetch(request) {
      const url = new URL(request.url)
      state.requests.push(`CDN ${url.pathname}`)
      state.cdnAuthorization.push(request.headers.get('authorization'))
      const [, model, file] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(url.pathname)!
      return body(request, models[model!]!.files[file!]!, file!, {})
    },
  })
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
        const location = `${cdn.url.origin}/${match![1]}/${match![3]}`
        return new Response(null, { status: 302, headers: { location, 'x-linked-etag': `"${sha256}"`, etag: '"pointer"' } })
      }
      const blob = createHash('sha1')
        .update(`blob ${Buffer.byteLength(content)}\0${content}`)
        .digest('hex')
      return body(request, content, match![3]!, { etag: `W/"${blob}"` })
    },
  })
  return Object.assign(state, {
    endpoint: hub.url.origin,
    stop: async () => {
      await Promise.all([hub.stop(true), cdn.stop(true)])
    },
  })
}
