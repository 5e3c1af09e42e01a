// `frontend`: HTTP and router; the engines are workers that discovery finds.
import { log } from '../../lib/log.ts'
import { modelRegistry } from '../../pipeline/model.ts'
import { type Front, openFront } from '../front.ts'
import type { FrontendOptions } from '../options.ts'
import { openRemoteFleet, type RemoteFleet } from './remote-fleet.ts'

export interface Frontend {
  /** Where the API listens. */
  url: string
  lifecycle: Front['lifecycle']
  /** Resolves once it is known which workers there are now; more may come at any time. */
  start(): Promise<void>
}

/** Opens the port and answers /live. Throws AppError `port_in_use`. */
export function openFrontend(options: FrontendOptions): Frontend {
  const models = modelRegistry()
  let remote: RemoteFleet | undefined
  const workers = () => remote?.fleet.workers() ?? []
  const front = openFront(options, { models, workers, canary: () => false, stop: async () => remote?.close() })
  return {
    url: front.url,
    lifecycle: front.lifecycle,
    async start() {
      try {
        remote = await openRemoteFleet(options, models)
        await front.warm()
        await remote.watch()
      } catch (error) {
        await front.stop()
        throw error
      }
      const { minWorkers } = options
      if (minWorkers > 0) log.info({ workers: minWorkers }, 'waiting for workers')
      while (workers().length < minWorkers && front.lifecycle.state === 'starting') await Bun.sleep(50)
      front.lifecycle.markReady()
    },
  }
}
