// Every route on one screen. The POST routes also run without the router in front of them: they are the hot ones (http.ts).
import type { Context } from 'hono'
// With the router that needs no preparation: a first /live came 5 ms sooner, and the hot routes do not go through it.
import { Hono } from 'hono/quick'
import { AppError, toAppError } from '../../lib/errors.ts'
import type { Api, Handler } from '../../openai/call.ts'
import { chatHandler, chatRules } from '../../openai/chat.ts'
import { completionRules, completionsHandler } from '../../openai/completions.ts'
import { embeddingsHandler } from '../../openai/embeddings.ts'
import { errorResponse } from '../../openai/errors.ts'
import { listModels, oneModel } from '../../openai/models.ts'
import { detokenizeHandler, tokenizeHandler } from '../../openai/tokenize.ts'
import type { ModelRegistry } from '../../pipeline/model.ts'
import type { Worker } from '../../router/workers.ts'
import { debugRoutes } from '../control/debug.ts'
import { operatorRoutes, whyClosed } from '../control/operators.ts'
import { mount } from '../control/route.ts'
import type { Health } from '../health.ts'
import type { MediaFront } from '../media/media-front.ts'
import { mediaHandler, mediaRoutes } from '../media/routes.ts'
import { docsPage } from './docs.ts'
import { type EndpointDeps, endpoint, type RawHandler, type SocketTimer } from './endpoint.ts'
import { InFlight } from './limits.ts'
import { probes } from './probes.ts'
import { requestIdOf } from './request-id.ts'

export interface AppDeps extends Api, Omit<EndpointDeps, 'pipeline' | 'media'> {
  /** Images and videos, where this process makes some; the routes are there all the same. */
  media?: MediaFront
  workers(): readonly Worker[]
  health: Health
  version: string
  /** `dyn://namespace.component.endpoint` of this process. */
  endpoint: string
  /** For what operators ask about: bookings and thresholds. */
  models?: ModelRegistry
  /** The API port takes engine operations too, not only the system port. */
  controlRoutes?: boolean
}

type Method = 'GET' | 'POST' | 'DELETE'

export interface HttpApp {
  /** POST path → handler, for Bun's own router. */
  readonly posts: ReadonlyMap<string, RawHandler>
  fetch(request: Request, server?: SocketTimer): Response | Promise<Response>
  /** Loads what the first request would have to wait for (schemas); call it when the start is over. */
  warm(): Promise<void>
  /** Requests whose last byte is not out yet. */
  inFlight(): number
}

export function createApp(deps: AppDeps): HttpApp {
  const inFlight = new InFlight(deps.limits)
  const posts = new Map<string, RawHandler>()
  const hono = new Hono<{ Bindings: { server?: SocketTimer } }>()
  const methods = new Map<string, string>()

  /** With a log line, limits and a body; POSTs to a fixed path go past the router. */
  function logged(method: Method, path: string, name: string, handler: Handler): void {
    const raw = endpoint(name, path, handler, deps, inFlight)
    if (method === 'POST' && !path.includes(':')) posts.set(path, raw)
    route(method, path, (c) => raw(c.req.raw, c.env?.server))
  }
  function post(path: string, name: string, handler: Handler): void {
    logged('POST', path, name, handler)
  }
  function get(path: string, answer: (c: Context) => Response | Promise<Response>): void {
    route('GET', path, answer)
  }
  /** For what is not hot; a path may have several methods. */
  function route(method: Method, path: string, answer: (c: Context) => Response | Promise<Response>): void {
    hono.on(method, path, answer)
    const own = method === 'GET' ? 'GET, HEAD' : method
    methods.set(path, methods.has(path) ? `${own}, ${methods.get(path)}` : `${own}, OPTIONS`)
  }

  hono.use(around(deps))
  post('/v1/chat/completions', 'chat_completions', chatHandler(deps))
  post('/v1/completions', 'completions', completionsHandler(deps))
  post('/v1/embeddings', 'embeddings', embeddingsHandler(deps))
  for (const prefix of ['', '/v1']) {
    post(`${prefix}/tokenize`, 'tokenize', tokenizeHandler(deps))
    post(`${prefix}/detokenize`, 'detokenize', detokenizeHandler(deps))
  }
  for (const one of mediaRoutes) logged(one.method, one.path, one.name, mediaHandler(one, deps))
  const served = () => [...deps.pipeline.models(), ...(deps.media?.models() ?? [])]
  get('/v1/models', () => listModels(served()))
  get('/v1/models/:id{.+}', (c) => oneModel(served(), decoded(c.req.path.slice('/v1/models/'.length))))
  const { live, ready, health, metrics } = probes({
    ...deps,
    served: () => served().map((model) => model.id),
    complete: () => deps.pipeline.ready() || deps.media?.ready() === true,
  })
  get('/live', live)
  get('/ready', ready)
  get('/health', health)
  get('/metrics', metrics)
  get('/openapi.json', async (c) => c.json(await (await import('./openapi.ts')).openapiDocument(deps.version)))
  get('/docs', (c) => c.html(docsPage))

  mount(route, debugRoutes(deps))
  if (deps.controlRoutes === true) mount(route, operatorRoutes(deps))

  for (const [path, allow] of methods) hono.all(path, (c) => otherMethod(c, allow, deps))
  hono.notFound((c) => noRoute(c, misnamed[named(c)] ?? whyClosed(c.req.path, deps) ?? 'GET /openapi.json lists the routes.'))
  hono.onError((thrown) => {
    const error = toAppError(thrown)
    if (error.status >= 500) deps.log.error({ err: error.cause ?? error }, 'request failed')
    return errorResponse(error)
  })
  return {
    posts,
    fetch(request, server) {
      // Bun gives a bare path when the Host header makes no URL; the router would cut a wrong route out of it.
      if (request.url.startsWith('/'))
        return errorResponse(new AppError('invalid_value', { message: 'The Host header is not a host name.', param: 'host' }))
      return hono.fetch(request, server === undefined ? {} : { server })
    },
    inFlight: () => inFlight.count,
    async warm() {
      const { media, ignoreUnknownFields: ignore } = deps
      await media?.handlers()
      if (media === undefined || media.besideText === true) await Promise.all([chatRules(ignore), completionRules(ignore)])
    },
  }
}

/** A path segment as the client meant it; broken escapes stay as they are. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** What every routed answer gets besides its body. Answers of `endpoint` have their id already. */
function around(deps: AppDeps) {
  return async (c: Context, next: () => Promise<void>): Promise<void> => {
    await next()
    const { headers } = c.res
    if (!headers.has('x-request-id')) {
      const id = requestIdOf(c.req.raw.headers)
      headers.set('x-request-id', id)
      deps.log.debug({ id, method: c.req.method, path: c.req.path, status: c.res.status }, 'request')
    }
    if (deps.corsOrigin !== undefined && c.req.header('origin') !== undefined) headers.set('access-control-allow-origin', deps.corsOrigin)
  }
}

/** Other servers' names of routes, and what they are here. */
const misnamed: Readonly<Record<string, string>> = {
  'POST /v1/videos/generations': 'Clips are made with POST /v1/videos.',
  'POST /v1/video/generations': 'Clips are made with POST /v1/videos.',
  'POST /v1/images': 'Images are made with POST /v1/images/generations.',
}

const named = (c: Context): string => `${c.req.method} ${c.req.path}`

function noRoute(c: Context, instead: string): Response {
  return errorResponse(new AppError('route_not_found', { message: `There is no route ${named(c)}. ${instead}` }))
}

function otherMethod(c: Context, allow: string, deps: AppDeps): Response {
  const instead = misnamed[named(c)]
  if (instead !== undefined) return noRoute(c, instead)
  if (c.req.method !== 'OPTIONS') {
    const error = new AppError('method_not_allowed', { message: `${c.req.path} does not answer ${c.req.method}; it answers ${allow}.` })
    return errorResponse(error, { allow })
  }
  const headers: Record<string, string> = { allow }
  if (deps.corsOrigin !== undefined) {
    headers['access-control-allow-origin'] = deps.corsOrigin
    headers['access-control-allow-methods'] = allow
    headers['access-control-allow-headers'] = c.req.header('access-control-request-headers') ?? 'authorization, content-type, x-request-id'
    headers['access-control-max-age'] = '600'
  }
  return new Response(null, { status: 204, headers })
}
