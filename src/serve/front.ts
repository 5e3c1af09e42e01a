// The HTTP half of a serving process: port, routes, health, life. What stands behind it (engines here, or a fleet) comes as parts.
import { log } from '../lib/log.ts'
import type { ModelRegistry } from '../pipeline/model.ts'
import { createPipeline } from '../pipeline/pipeline.ts'
import type { Worker } from '../router/workers.ts'
import { debugRoutes } from './control/debug.ts'
import { operatorRoutes } from './control/operators.ts'
import { createHealth, type Health } from './health.ts'
import { type AppDeps, createApp } from './http/app.ts'
import { startHttp } from './http/http.ts'
import { defaultLimits } from './http/limits.ts'
import { bufferedLog } from './http/line-buffer.ts'
import { createSystemApp } from './http/system-server.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import type { MediaFront } from './media/media-front.ts'
import type { FrontOptions } from './options.ts'

const CANARY_TIMEOUT_MS = 10_000
const LAST_WORDS_MS = 1000

export interface FrontParts {
  models: ModelRegistry
  workers(): readonly Worker[]
  /** Whose engines are asked for a token (those of this process); of the others, their own word counts. */
  canary(worker: Worker): boolean
  /** Images and videos that are made here; unless there is text beside them, their health is the process's. */
  media?: MediaFront
  /** Takes what this process shows out of others' sight, before the grace period. */
  leaving?(): Promise<void>
  /** New requests are refused from now on; those that run may end. */
  draining?(): void
  /** Ends engines, connections and announcements; runs before the port closes. */
  stop(): Promise<void>
}

export interface Front {
  /** Where the API listens. */
  readonly url: string
  readonly lifecycle: Lifecycle
  /** Loads what the first request would wait for. */
  warm(): Promise<void>
  /** Ends all of it at once. */
  stop(): Promise<void>
}

/** Opens the port and answers /live. Throws AppError `port_in_use`. */
export function openFront(options: FrontOptions, parts: FrontParts): Front {
  const { media } = parts
  const textHealth = createHealth({
    workers: parts.workers,
    canary: parts.canary,
    canaryFreshMs: options.health.canaryFreshMs,
    canaryTimeoutMs: CANARY_TIMEOUT_MS,
    ...(options.health.canaryIds === undefined ? {} : { canaryIds: options.health.canaryIds }),
  })
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    inFlight: running,
    ...(parts.leaving === undefined ? {} : { leaving: parts.leaving }),
    ...(parts.draining === undefined ? {} : { draining: parts.draining }),
    stop,
  })
  const deps: AppDeps = {
    pipeline: createPipeline(parts.models),
    models: parts.models,
    health: healthOf(textHealth, media),
    ...(media === undefined ? {} : { media }),
    log,
    accessLog: bufferedLog(log),
    workers: parts.workers,
    state: () => lifecycle.state,
    limits: { ...defaultLimits, ...options.limits },
    ignoreUnknownFields: options.ignoreUnknownFields,
    ...(options.corsOrigin === undefined ? {} : { corsOrigin: options.corsOrigin }),
    excludeToolsWhenNone: options.excludeToolsWhenNone,
    controlRoutes: options.controlRoutes,
    version: options.version,
    endpoint: options.endpoint,
  }
  const app = createApp(deps)
  const http = startHttp({ app, ...options.http })
  const system =
    options.system &&
    startHttp({
      app: createSystemApp(
        {
          ...deps,
          served: () => [...deps.pipeline.models(), ...(media?.models() ?? [])].map((model) => model.id),
          complete: () => deps.pipeline.ready() || media?.ready() === true,
        },
        [...operatorRoutes(deps), ...(media === undefined || media.besideText === true ? debugRoutes(deps) : [])],
      ),
      ...options.system,
      portFlag: 'DYN_SYSTEM_PORT',
    })

  function running(): number {
    return Math.max(app.inFlight(), http.pending(), media?.inFlight() ?? 0)
  }

  async function stop(): Promise<void> {
    await parts.stop()
    // What ended with its engine has its last words to write.
    const deadline = performance.now() + LAST_WORDS_MS
    while (running() > 0 && performance.now() < deadline) await Bun.sleep(10)
    // Connections that are kept alive without a request would hold the port open.
    await http.stop(true)
    await system?.stop(true)
  }

  return { url: http.url, lifecycle, warm: () => app.warm(), stop }
}

function healthOf(text: Health, media: MediaFront | undefined): Health {
  if (media === undefined) return text
  if (media.besideText !== true) return media.health
  return { check: async () => (await Promise.all([text.check(), media.health.check()])).flat() }
}
