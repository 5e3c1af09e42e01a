// `frontend`: HTTP and router; the engines are workers of text, images and videos that discovery finds.
import { log } from '../../lib/log.ts'
import { remoteMaker } from '../../pipeline/media/remote/maker.ts'
import { modelRegistry } from '../../pipeline/model.ts'
import { type Front, openFront } from '../front.ts'
import type { FrontendOptions } from '../options.ts'
import { remoteMedia } from './media/remote-media.ts'
import { openRemoteFleet, type RemoteFleet } from './remote-fleet.ts'

export interface Frontend {
  /** Where the API listens. */
  url: string
  lifecycle: Front['lifecycle']
  /** Resolves once it is known which workers there are now; more may come at any time. */
  start(): Promise<void>
}

/** For media workers to be reached: their first requests are sent at once. */
const connectMs = 2000

/** Opens the port and answers /live. Throws AppError `port_in_use`. */
export function openFrontend(options: FrontendOptions): Frontend {
  const models = modelRegistry(() => media.models())
  const media = remoteMedia(options, () => models.all().map(({ served }) => served))
  let remote: RemoteFleet | undefined
  const workers = () => remote?.fleet.workers() ?? []
  const front = openFront(options, {
    models,
    workers,
    canary: () => false,
    media: media.front,
    leaving: async () => media.leave(),
    draining: () => media.drain(options.drainMs),
    async stop() {
      await media.close()
      await remote?.close()
    },
  })
  return {
    url: front.url,
    lifecycle: front.lifecycle,
    async start() {
      try {
        remote = await openRemoteFleet(options, models)
        await front.warm()
        const { planes } = remote
        const others = media.follow((card) => remoteMaker(card, planes.connect(card.address)))
        await remote.watch(others.change)
        await media.connected(connectMs)
      } catch (error) {
        await front.stop()
        throw error
      }
      const { minWorkers } = options
      if (minWorkers > 0) log.info({ workers: minWorkers }, 'waiting for workers')
      while (workers().length + media.workers() < minWorkers && front.lifecycle.state === 'starting') await Bun.sleep(50)
      front.lifecycle.markReady()
    },
  }
}
