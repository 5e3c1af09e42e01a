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
