// `serve`: the engines are in this process tree. N copies of one engine behind one router.
import type { Engine } from '../../engine/engine.ts'
import { log } from '../../lib/log.ts'
import { engineReady, engineRestarts } from '../../lib/metrics.ts'
import { type ModelRegistry, modelRegistry } from '../../pipeline/model.ts'
import { createRouter } from '../../router/create.ts'
import { type Worker, workerSet } from '../../router/workers.ts'
import { type Front, openFront } from '../front.ts'
import { loadModelFiles, mockModel } from '../load-model.ts'
import { makeEngine } from '../make-engine.ts'
import type { ServeOptions } from '../options.ts'
import { engineCopy } from './engine-copies.ts'
import { loadedModel } from './loaded-model.ts'

export interface Serving {
  /** Where the API listens. */
  url: string
  lifecycle: Front['lifecycle']
  /** Loads the model and starts the engines; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<{ model: string; engine: Engine }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** Opens the port and answers /live; `start` makes it serve. Throws AppError `port_in_use`. */
export async function openServing(options: ServeOptions): Promise<Serving> {
  const models = modelRegistry()
  const workers = workerSet()
  const stopEngines = async () => {
    await Promise.all(workers.all().map((worker) => worker.engine.stop(0)))
    for (const model of models.all()) model.router.close()
  }
  const front = openFront(options, { models, workers: workers.all, canary: true, stop: stopEngines })
  return {
    url: front.url,
    lifecycle: front.lifecycle,
    async start() {
      try {
        const started = await start(options, models, workers)
        front.lifecycle.markReady()
        await front.warm()
        return started
      } catch (error) {
        await front.stop()
        throw error
      }
    },
    kill() {
      for (const worker of workers.all()) void worker.engine.stop(0)
    },
  }
}

async function start(options: ServeOptions, models: ModelRegistry, workers: ReturnType<typeof workerSet>) {
  const { path } = options.model
  // SGLang takes tens of seconds to start, so the files are read beside it.
  const reading = path === undefined ? undefined : loadModelFiles(path, options.model)
  reading?.catch(() => {})
  const router = createRouter(workers, options.router)
  const starting: Promise<unknown>[] = []
  for (let i = 0; i < options.workers; i++) {
    const copy = engineCopy(options.engine, i, options.workers)
    const engine = await makeEngine(copy, options, async () => mockModel(path!, await reading!, options.model.contextLength))
    const worker = { id: `${options.engine.kind}-${i}`, engine }
    watchWorker(worker)
    workers.add(worker)
    const start = engine.start()
    start.catch(() => {})
    starting.push(start)
  }
  const early = reading === undefined ? undefined : await reading
  await Promise.all(starting)
  const { engine } = workers.all()[0]!
  const { info } = engine
  const files = early ?? (await loadModelFiles(info.modelPath, options.model))
  const [id = path ?? info.modelPath, ...aliases] = options.model.servedNames
  const { engineTokenizes } = options.model
  models.add(loadedModel({ names: [id, ...aliases], files, info, router, engineTokenizes, migrationLimit: options.migrationLimit }))
  return { model: id, engine }
}

/** An engine's ups and downs into the log and the metrics. */
export function watchWorker(worker: Worker): void {
  const labels = { worker_id: worker.id }
  let wasReady = false
  engineReady.set(labels, 0)
  worker.engine.on((event) => {
    if (event.kind !== 'state') return
    engineReady.set(labels, event.ready ? 1 : 0)
    if (event.ready && wasReady) engineRestarts.inc(labels)
    wasReady ||= event.ready
    log[event.ready ? 'info' : 'warn']({ worker: worker.id, ready: event.ready }, event.reason)
  })
}
