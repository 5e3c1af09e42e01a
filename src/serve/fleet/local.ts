// `serve`: the engines are in this process tree, N copies of one engine behind one router. With discovery it is part of a fleet as well:
// its engines are shown to other frontends, and workers of its model elsewhere get requests from here.
import type { Engine } from '../../engine/engine.ts'
import { type ModelRegistry, modelRegistry } from '../../pipeline/model.ts'
import { createRouter } from '../../router/create.ts'
import { type Worker, type Workers, workerSet } from '../../router/workers.ts'
import { type Front, openFront } from '../front.ts'
import { loadModelFiles, mockModel } from '../load-model.ts'
import { makeEngine } from '../make-engine.ts'
import type { ServeOptions } from '../options.ts'
import type { Encoders } from '../vision/encoders.ts'
import { watchWorker } from '../worker/watch-worker.ts'
import { engineCopy } from './engine-copies.ts'
import type { Joined } from './join.ts'
import { loadedModel, type ModelParts } from './loaded-model.ts'

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
export function openServing(options: ServeOptions): Serving {
  const models = modelRegistry()
  const workers = workerSet()
  const own: Worker[] = []
  const apart: { encoders?: Encoders } = {}
  let joined: Joined | undefined
  const all = () => [...workers.all(), ...(joined?.others() ?? [])]
  const front = openFront(options, { models, workers: all, canary: (worker) => own.includes(worker), leaving, stop })

  async function leaving(): Promise<void> {
    await joined?.withdraw()
  }
  async function stop(): Promise<void> {
    await joined?.close()
    await Promise.all(own.map((worker) => worker.engine.stop(0)))
    await apart.encoders?.stop()
    for (const model of models.all()) model.router.close()
  }

  return {
    url: front.url,
    lifecycle: front.lifecycle,
    async start() {
      try {
        const started = await start(options, workers, own, apart, front.lifecycle.goOn)
        if (options.fleet !== undefined) {
          const { joinFleet } = await import('./join.ts')
          joined = await joinFleet({ ...options, fleet: options.fleet }, started, workers, own, models, apart.encoders)
          front.lifecycle.goOn()
        } else addModel(models, started)
        front.lifecycle.markReady()
        await front.warm()
        return { model: started.names[0]!, engine: own[0]!.engine }
      } catch (error) {
        await front.stop()
        throw error
      }
    },
    kill() {
      for (const worker of own) void worker.engine.stop(0)
      void apart.encoders?.stop()
    },
  }
}

function addModel(models: ModelRegistry, parts: ModelParts): void {
  models.add(loadedModel(parts))
}

/** Starts every copy; resolves when all of them can serve. `goOn` throws when none of it is wanted any more. */
async function start(
  options: ServeOptions,
  workers: Workers,
  own: Worker[],
  apart: { encoders?: Encoders },
  goOn: () => void,
): Promise<ModelParts & { router: ReturnType<typeof createRouter> }> {
  const { model, migrationLimit } = options
  const { path, engineTokenizes } = model
  // SGLang takes tens of seconds to start, so the files are read beside it.
  const reading = path === undefined ? undefined : loadModelFiles(path, model)
  reading?.catch(() => {})
  if (options.vision !== undefined) {
    const { encodersFor } = await import('../vision/encoders-for.ts')
    apart.encoders = encodersFor(options.vision, model, await reading!, (index) => `encoder-${index}`)
  }
  const { encoders } = apart
  const router = createRouter(workers, options.router, { model: model.servedNames[0] ?? path ?? '' })
  const starting: Promise<unknown>[] = []
  if (encoders !== undefined) starting.push(encoders.start())
  for (const each of starting) each.catch(() => {})
  for (let i = 0; i < options.workers; i++) {
    const copy = engineCopy(options.engine, i, options.workers)
    const id = options.workerId(i)
    const label = options.workers === 1 ? options.engine.kind : id
    const engine = await makeEngine(copy, {
      version: options.version,
      mockModel: async () => mockModel(path!, await reading!, model.contextLength),
      name: label,
      model: model.servedNames[0] ?? path ?? '',
      pictures: encoders?.forPictures,
    })
    goOn()
    const worker = { id, engine }
    watchWorker(worker)
    own.push(worker)
    workers.add(worker)
    const start = engine.start()
    start.catch(() => {})
    starting.push(start)
  }
  const early = reading === undefined ? undefined : await reading
  await Promise.all(starting)
  const { info } = own[0]!.engine
  const files = early ?? (await loadModelFiles(info.modelPath, model))
  const names = model.servedNames.length > 0 ? model.servedNames : [path ?? info.modelPath]
  goOn()
  const failsAtOnce = options.engine.kind === 'sglang' && options.workers === 1 && options.fleet === undefined
  return { names, files, info, router, engineTokenizes, migrationLimit, failsAtOnce }
}
