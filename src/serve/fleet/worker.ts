// `worker`: an engine that frontends elsewhere use. Engine first, then the plane that answers for it, and last its card, so that nobody finds it too early.

import type { Announcement, Discovery } from '../../discovery/discovery.ts'
import { openDiscovery } from '../../discovery/open.ts'
import type { Engine } from '../../engine/engine.ts'
import type { WorkerCard } from '../../engine/remote/card.ts'
import { hostEngine } from '../../engine/remote/host.ts'
import { type PublishedEvents, publishEvents } from '../../engine/remote/kv-publish.ts'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { Worker } from '../../router/workers.ts'
import type { EventPublisher } from '../../transport/event-plane.ts'
import type { PlaneServer } from '../../transport/request-plane.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle.ts'
import { loadModelFiles, mockModel } from '../load-model.ts'
import { makeEngine } from '../make-engine.ts'
import type { WorkerOptions } from '../options.ts'
import { watchWorker } from './local.ts'
import { type SharedModel, shareModel } from './model-share.ts'
import { openPlanes, type Planes } from './planes.ts'
import { startSystem } from './worker-system.ts'

export interface WorkerProcess {
  readonly id: string
  readonly lifecycle: Lifecycle
  /** Starts the engine and shows the worker to frontends; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<{ card: WorkerCard; engine: Engine }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** What has to be ended, in the order in which it was made. */
interface Parts {
  planes?: Planes
  engine?: Engine
  server?: PlaneServer
  publisher?: EventPublisher
  published?: PublishedEvents
  discovery?: Discovery
  announcement?: Announcement
}

/** Opens the system port, if one is set, and answers /live there. Throws AppError `port_in_use`. */
export function openWorker(options: WorkerOptions): WorkerProcess {
  const id = options.id
  const parts: Parts = {}
  const workers: Worker[] = []
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    inFlight: () => parts.engine?.inFlight() ?? 0,
    // First out of sight, then time for those who have not seen it yet.
    leaving: () => parts.announcement?.withdraw() ?? Promise.resolve(),
    stop,
  })
  const system = startSystem(options, workers, lifecycle)

  async function stop(): Promise<void> {
    await parts.discovery?.close()
    await parts.engine?.stop(0)
    await parts.server?.close()
    parts.published?.close()
    parts.publisher?.close()
    await parts.planes?.close()
    await system?.stop(true)
  }

  return {
    id,
    lifecycle,
    async start() {
      try {
        const started = await start(options, id, parts, workers)
        lifecycle.markReady()
        return started
      } catch (error) {
        await stop()
        throw error
      }
    },
    kill() {
      void parts.engine?.stop(0)
    },
  }
}

async function start(options: WorkerOptions, id: string, parts: Parts, workers: Worker[]) {
  const { model, fleet } = options
  const reading = model.path === undefined ? undefined : loadModelFiles(model.path, model)
  reading?.catch(() => {})
  parts.planes = await openPlanes(fleet.planes, fleet.namespace)
  const engine = await makeEngine(options.engine, options, async () => mockModel(model.path!, await reading!, model.contextLength))
  parts.engine = engine
  const worker = { id, engine }
  watchWorker(worker)
  workers.push(worker)
  const starting = engine.start()
  starting.catch(() => {})
  const early = reading === undefined ? undefined : await reading
  const info = await starting
  const files = early ?? (await loadModelFiles(info.modelPath, model))
  const share = await shareModel(files.folder, files.textFolder, model.customTemplate)

  const { events } = parts.planes
  parts.publisher = await events.publisher(id)
  const publisher = parts.publisher
  const published = publishEvents(engine, (message) => publisher.publish(message))
  parts.published = published
  const calls = {
    card: async () => cardNow(),
    'kv.dump': async ({ rank }: Record<string, unknown>) => published.dump(Number(rank)),
    'model.file': share.read,
  }
  parts.server = await parts.planes.serve(hostEngine(engine, { calls }))

  const card = workerCard(options, id, engine, share, parts.server.address, publisher.address)
  const cardNow = (): WorkerCard => ({ ...card, info: engine.info, ready: engine.ready })
  parts.discovery = await openDiscovery(fleet.discovery)
  const announcement = await parts.discovery.announce({ id, kind: 'worker', namespace: fleet.namespace, body: { ...cardNow() } })
  parts.announcement = announcement
  engine.on((event) => {
    if (event.kind !== 'state') return
    announcement
      .update({ ...cardNow() })
      .catch((error) => log.warn({ worker: id, reason: toAppError(error).message }, 'the change of state could not be announced'))
  })
  return { card, engine }
}

function workerCard(options: WorkerOptions, id: string, engine: Engine, share: SharedModel, address: string, events: string): WorkerCard {
  const { info } = engine
  const { model } = options
  const path = model.path ?? info.modelPath
  return {
    id,
    endpoint: options.endpoint,
    address,
    events,
    model: {
      names: model.servedNames.length > 0 ? model.servedNames : [path],
      path,
      files: share.files,
      contextLength: info.contextLength,
      isEmbedding: info.isEmbedding,
      engineTokenizes: model.engineTokenizes,
      ...(share.customTemplate === undefined ? {} : { customTemplate: share.customTemplate }),
    },
    info,
    ready: engine.ready,
    migrationLimit: options.migrationLimit,
    startedAt: Date.now(),
  }
}
