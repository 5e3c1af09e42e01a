// `worker` with a diffusion role: one engine of images or videos behind its queue, for frontends elsewhere. Frontends keep the files and the jobs.
import type { Discovery } from '../../discovery/discovery.ts'
import { log } from '../../lib/log.ts'
import type { MediaCard } from '../../pipeline/media/remote/card.ts'
import { ownMakers } from '../fleet/media/own-makers.ts'
import type { Planes } from '../fleet/planes.ts'
import { startHttp } from '../http/http.ts'
import { createSystemApp } from '../http/system-server.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle.ts'
import { mediaControlRoutes } from '../media/control.ts'
import type { MediaWorkerOptions } from '../options.ts'
import { type HostedMedia, hostMedia } from './host-media.ts'
import { joinFleet, startOrStop } from './start.ts'

export interface MediaWorkerProcess {
  readonly id: string
  readonly lifecycle: Lifecycle
  /** Starts the engine and shows the worker to frontends; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<MediaCard>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** What has to be ended. */
interface Parts {
  planes?: Planes
  discovery?: Discovery
  hosted?: HostedMedia
}

/** Opens the system port, if one is set, and answers /live there. Throws AppError `port_in_use`. */
export function openMediaWorker(options: MediaWorkerOptions): MediaWorkerProcess {
  const { id, fleet, model, endpoint, version } = options
  const own = ownMakers(options, options.health.canaryFreshMs)
  const parts: Parts = {}
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    inFlight: () => Math.max(own.pending(), parts.hosted?.open() ?? 0),
    // First out of sight, then time for those who have not seen it yet.
    leaving: async () => parts.hosted?.withdraw(),
    // Frontends place what waits here on other workers.
    draining: own.refuse,
    stop,
  })
  const draining = () => lifecycle.state === 'draining' || lifecycle.state === 'stopped'
  const system =
    options.system &&
    startHttp({
      app: createSystemApp(
        {
          ...{ health: own.health, version, endpoint, state: () => lifecycle.state },
          served: () => [model.servedNames[0] ?? model.path],
          complete: () => true,
          // Text engines, whose own metrics would be told.
          workers: () => [],
        },
        mediaControlRoutes({ workers: own.engines, log }),
      ),
      ...options.system,
      portFlag: 'DYN_SYSTEM_PORT',
    })

  async function stop(): Promise<void> {
    await parts.discovery?.close()
    await own.stop()
    await parts.hosted?.close()
    await parts.planes?.close()
    await system?.stop(true)
  }

  async function start(): Promise<MediaCard> {
    const { names, makers, engines } = await own.start()
    const { planes, discovery } = await joinFleet(parts, fleet, lifecycle)
    const shown = { maker: makers[0]!, engine: engines[0]!, names, endpoint, namespace: fleet.namespace, draining }
    parts.hosted = await hostMedia(shown, planes, discovery)
    lifecycle.goOn()
    return parts.hosted.card
  }

  return {
    id,
    lifecycle,
    start: () => startOrStop(lifecycle, start, stop),
    kill: own.kill,
  }
}
