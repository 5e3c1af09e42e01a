// `serve` with a diffusion role: N engines of this process tree, each behind a queue of its own, one API over all of them.
import type { DiffusionInfo } from '../../engine/diffusion/diffusion.ts'
import { mediaRegistry } from '../../pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../pipeline/media/pipeline.ts'
import { modelRegistry } from '../../pipeline/model.ts'
import { type Front, openFront } from '../front.ts'
import { useOf } from '../media/media-front.ts'
import { openMediaApi } from '../media/open-api.ts'
import type { MediaServeOptions } from '../options.ts'
import { ownMakers } from './media/own-makers.ts'

export interface MediaServing {
  /** Where the API listens. */
  url: string
  lifecycle: Front['lifecycle']
  /** Starts the engines; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<{ model: string; info: DiffusionInfo }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** Opens the port and answers /live; `start` makes it serve. Throws AppError `port_in_use`. */
export function openMediaServing(options: MediaServeOptions): MediaServing {
  const { makes } = options
  const registry = mediaRegistry()
  const pipeline = mediaPipeline(registry)
  const own = ownMakers(options, options.health.canaryFreshMs)
  const opening = openMediaApi(options, pipeline, registry)
  opening.catch(() => {})
  let jobs: Awaited<typeof opening>['jobs'] | undefined
  const front = openFront(options, {
    models: modelRegistry(() => pipeline.models().map(({ id, aliases }) => ({ id, aliases, use: useOf(makes) }))),
    workers: () => [],
    canary: () => false,
    media: {
      models: () => pipeline.models(),
      ready: () => pipeline.ready(makes),
      health: own.health,
      inFlight() {
        const { queued = 0, in_progress = 0 } = jobs?.counts() ?? {}
        return queued + in_progress
      },
      handlers: async () => (await opening).handlers,
      workers: own.engines,
    },
    // Minutes of work that would not be done before the end.
    leaving: async () => jobs?.refuse(),
    draining() {
      // What waits would not be made any more; who sent it can go elsewhere now.
      own.refuse()
      void jobs?.close(options.drainMs)
    },
    stop,
  })

  async function stop(): Promise<void> {
    own.refuse()
    // What runs is aborted by its engine's end; its job is told first why.
    await jobs?.close(0)
    await own.stop()
    await opening.then((opened) => opened.close()).catch(() => {})
  }

  async function start(): Promise<{ model: string; info: DiffusionInfo }> {
    // A store that cannot be written is found before minutes of loading.
    jobs = (await opening).jobs
    const { names, info, makers } = await own.start()
    const [id, ...aliases] = names
    registry.add({ id, aliases, createdSecs: Math.floor(Date.now() / 1000), makes }, makers)
    return { model: id, info }
  }

  return {
    url: front.url,
    lifecycle: front.lifecycle,
    async start() {
      try {
        const started = await start()
        await front.warm()
        front.lifecycle.markReady()
        return started
      } catch (error) {
        await front.stop()
        throw error
      }
    },
    kill: own.kill,
  }
}
