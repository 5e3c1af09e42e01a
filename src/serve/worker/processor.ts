// `worker --multimodal-processor`: the documents' processor prepares pictures for the other workers. Our frontends do that themselves, so this process has nothing to do; it
// stays until it is stopped and answers probes, so that scripts and manifests which start one go on working.
import { startHttp } from '../http/http.ts'
import { createSystemApp } from '../http/system-server.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle.ts'
import type { ProcessOptions } from '../options.ts'

export interface ProcessorProcess {
  readonly lifecycle: Lifecycle
  start(): Promise<void>
}

/** Opens the system port, if one is set. Throws AppError `port_in_use`. */
export function openProcessor({ version, endpoint, system, graceMs, drainMs }: ProcessOptions): ProcessorProcess {
  const lifecycle = createLifecycle({ graceMs, drainMs, inFlight: () => 0, stop: async () => void (await port?.stop(true)) })
  const itself = { id: 'processor', healthy: true, ready: true, reason: null, engine: null, inFlight: 0, ranks: [] }
  const port =
    system &&
    startHttp({
      app: createSystemApp(
        {
          ...{ version, endpoint, state: () => lifecycle.state },
          health: { check: async () => [itself] },
          served: () => ['processor'],
          complete: () => true,
          workers: () => [],
        },
        [],
      ),
      ...system,
      portFlag: 'DYN_SYSTEM_PORT',
    })
  return { lifecycle, start: async () => lifecycle.markReady() }
}
