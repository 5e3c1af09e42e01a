// DYN_SYSTEM_PORT of a worker: its probes, metrics and engine routes. A worker without one is still watched through discovery.
import type { Worker } from '../../router/workers.ts'
import { createHealth } from '../health.ts'
import { type HttpServer, startHttp } from '../http/http.ts'
import { createSystemApp } from '../http/system-server.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { WorkerOptions } from '../options.ts'

const CANARY_TIMEOUT_MS = 10_000

/** `canary`: their engines are asked for a token; else their own word counts. Throws AppError `port_in_use`. */
export function startSystem(
  options: WorkerOptions,
  workers: readonly Worker[],
  lifecycle: Lifecycle,
  canary = true,
): HttpServer | undefined {
  if (options.system === undefined) return undefined
  const { canaryFreshMs, canaryIds } = options.health
  const health = createHealth({
    workers: () => workers,
    canary: () => canary,
    canaryFreshMs,
    canaryTimeoutMs: CANARY_TIMEOUT_MS,
    ...(canaryIds === undefined ? {} : { canaryIds }),
  })
  const names = options.model.servedNames.length > 0 ? options.model.servedNames : [options.model.path ?? '']
  const app = createSystemApp({
    health,
    served: () => [names[0]!],
    // One leg is all that a prefill or decode worker is for.
    complete: () => true,
    state: () => lifecycle.state,
    workers: () => workers,
    version: options.version,
    endpoint: options.endpoint,
  })
  return startHttp({ app, ...options.system, portFlag: 'DYN_SYSTEM_PORT' })
}
