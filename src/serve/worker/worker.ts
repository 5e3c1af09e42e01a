// `worker`: an engine that frontends elsewhere use.
import type { Discovery } from '../../discovery/discovery.ts'
import type { Engine } from '../../engine/engine.ts'
import type { WorkerCard } from '../../engine/remote/card.ts'
import { isLeading } from '../../engine/sglang/node/leading.ts'
import type { Worker } from '../../router/workers.ts'
import type { Planes } from '../fleet/planes.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle.ts'
import { loadModelFiles, mockModel } from '../load-model.ts'
import { makeEngine } from '../make-engine.ts'
import type { WorkerOptions } from '../options.ts'
import type { Encoders } from '../vision/encoders.ts'
import { type Hosted, hostWorker } from './host-worker.ts'
import { followNodes } from './node-card.ts'
import { joinFleet, startOrStop } from './start.ts'
import { watchWorker } from './watch-worker.ts'
import { startSystem } from './worker-system.ts'

export interface WorkerProcess {
  readonly id: string
  readonly lifecycle: Lifecycle
  /** Starts the engine and shows the worker to frontends; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<{ card: WorkerCard; engine: Engine }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** What has to be ended. */
interface Parts {
  engine?: Engine
  encoders?: Encoders
  planes?: Planes
  discovery?: Discovery
  hosted?: Hosted
  nodes?: { close(): Promise<void> }
}

/** Opens the system port, if one is set, and answers /live there. Throws AppError `port_in_use`. */
export function openWorker(options: WorkerOptions): WorkerProcess {
  const { id } = options
  const parts: Parts = {}
  const workers: Worker[] = []
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    inFlight: () => parts.engine?.inFlight() ?? 0,
    // First out of sight, then time for those who have not seen it yet.
    leaving: async () => parts.hosted?.withdraw(),
    stop,
  })
  const system = startSystem(options, workers, lifecycle)

  async function stop(): Promise<void> {
    await parts.discovery?.close()
    await parts.nodes?.close()
    await parts.engine?.stop(0)
    await parts.encoders?.stop()
    await parts.hosted?.close()
    await parts.planes?.close()
    await system?.stop(true)
  }

  return {
    id,
    lifecycle,
    start: () => startOrStop(lifecycle, () => start(options, parts, workers, lifecycle), stop),
    kill() {
      void parts.engine?.stop(0)
      void parts.encoders?.stop()
    },
  }
}

async function start(options: WorkerOptions, parts: Parts, workers: Worker[], lifecycle: Lifecycle) {
  const { id, model, fleet, endpoint, migrationLimit, vision } = options
  const reading = model.path === undefined ? undefined : loadModelFiles(model.path, model)
  reading?.catch(() => {})
  if (vision !== undefined) {
    const { encodersFor } = await import('../vision/encoders-for.ts')
    parts.encoders = encodersFor(vision, model, await reading!, (index) => `${id}-encoder-${index}`)
  }
  const { encoders } = parts
  const engine = await makeEngine(options.engine, {
    version: options.version,
    mockModel: async () => mockModel(model.path!, await reading!, model.contextLength),
    name: 'sglang',
    model: model.servedNames[0] ?? model.path ?? '',
    pictures: encoders?.forPictures,
  })
  lifecycle.goOn()
  parts.engine = engine
  const worker = { id, engine }
  watchWorker(worker)
  workers.push(worker)
  const starting = Promise.all([engine.start(), encoders?.start()])
  starting.catch(() => {})
  const early = reading === undefined ? undefined : await reading
  const [info] = await starting
  const files = early ?? (await loadModelFiles(info.modelPath, model))
  const names = model.servedNames.length > 0 ? model.servedNames : [model.path ?? info.modelPath]
  lifecycle.goOn()
  const { planes, discovery } = await joinFleet(parts, fleet, lifecycle)
  const { namespace } = fleet
  if (encoders !== undefined) await discovery.watch(namespace, encoders.follow(planes.connect).change)
  parts.hosted = await hostWorker({ id, engine, names, files, model, endpoint, namespace, migrationLimit }, planes, discovery)
  if (isLeading(engine)) parts.nodes = await followNodes(engine, options.engine, planes, discovery, namespace)
  lifecycle.goOn()
  return { card: parts.hosted.card, engine }
}
