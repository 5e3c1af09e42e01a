// DYN_SYSTEM_PORT: probes and metrics on a port of their own, so that they can be closed to the world while the API is open.
import { Hono } from 'hono/quick'
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { errorResponse } from '../../openai/errors.ts'
import { engineRoutes } from '../control/engine.ts'
import { mount, type Route } from '../control/route.ts'
import type { HttpApp } from './app.ts'
import { type ProbeDeps, probes } from './probes.ts'

/** For `startHttp`, with `portFlag: 'DYN_SYSTEM_PORT'`. `routes` are what operators may do there besides. */
export function createSystemApp(deps: ProbeDeps, routes: readonly Route[] = engineRoutes({ ...deps, log })): HttpApp {
  const hono = new Hono()
  mount((method, path, answer) => hono.on(method, path, answer), routes)
  for (const [name, answer] of Object.entries(probes(deps))) hono.get(`/${name}`, () => answer())
  hono.notFound((c) => {
    const error = new AppError('route_not_found', {
      message: `There is no route ${c.req.method} ${c.req.path} on the system port; it answers ${sentence(['/live', '/ready', '/health', '/metrics', ...routes.map((route) => route.path)])}.`,
    })
    return errorResponse(error)
  })
  hono.onError((thrown) => errorResponse(toAppError(thrown)))
  return { posts: new Map(), fetch: (request) => hono.fetch(request), inFlight: () => 0, warm: async () => {} }
}

/** A path with several methods once. */
function sentence(paths: readonly string[]): string {
  const all = [...new Set(paths)]
  return `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`
}
