// What operators may do with the engines of this process, text and media: on the system port, and on the API's with --control-api.
import { bothControlRoutes, mediaControlRoutes } from '../media/control.ts'
import type { MediaFront } from '../media/media-front.ts'
import { type BusyDeps, busyRoutes } from './busy.ts'
import { type EngineRouteDeps, engineRoutes } from './engine.ts'
import type { Route } from './route.ts'

export function operatorRoutes(deps: EngineRouteDeps & BusyDeps & { media?: MediaFront }): Route[] {
  const { media } = deps
  if (media === undefined) return [...engineRoutes(deps), ...busyRoutes(deps)]
  if (media.besideText === true) return [...bothControlRoutes(deps, media), ...busyRoutes(deps)]
  return mediaControlRoutes({ ...deps, workers: media.workers })
}

/** Why a path of operators is not answered on the API's port; undefined for any other path. */
export function whyClosed(path: string, deps: Parameters<typeof operatorRoutes>[0]): string | undefined {
  const fits = ({ path: pattern }: Route) => new RegExp(`^${pattern.replace(':name', '[^/]+')}$`).test(path)
  if (operatorRoutes(deps).some(fits))
    return 'It is for operators: start the server with --control-api to have it on this port, or ask the system port (--system-port).'
  const all = [...bothControlRoutes(deps, { workers: () => [] }), ...busyRoutes(deps)]
  return all.some(fits) ? 'It is for operators, and for another kind of model than this server has.' : undefined
}
