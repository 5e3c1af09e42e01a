// Wires the real parts of a serving process together; the only place that does. The port opens first, the model and the engine follow.
import type { Engine } from '../engine/engine.ts'
import { log } from '../lib/log.ts'
import { engineReady, engineRestarts, modelContextLength, modelKvBlockSize, modelTotalKvBlocks } from '../lib/metrics.ts'
import { type ModelRegistry, modelRegistry } from '../pipeline/model.ts'
import { createPipeline } from '../pipeline/pipeline.ts'
import { type LocalWorker, localRouter } from '../router/local.ts'
import { type AppDeps, createApp } from './app.ts'
import { createHealth } from './health.ts'
import { startHttp } from './http.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import { defaultLimits } from './limits.ts'
import { bufferedLog } from './line-buffer.ts'
import type { ServeOptions } from './options.ts'
import { createSystemApp } from './system-server.ts'

const CANARY_TIMEOUT_MS = 10_000

export interface Serving {
  /** Where the API listens. */
  url: string
  lifecycle: Lifecycle
  /** Loads the model and starts the engine; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<{ model: string; engine: Engine }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** Opens the port and answers /live; `start` makes it serve. Throws AppError `port_in_use`. */
export async function openServing(options: ServeOptions): Promise<Serving> {
  const models = modelRegistry()
  const workers: LocalWorker[] = []
  const pipeline = createPipeline(models)
  const health = createHealth({
    workers: () => workers,
    canaryFreshMs: options.health.canaryFreshMs,
    canaryTimeoutMs: CANARY_TIMEOUT_MS,
    ...(options.health.canaryIds === undefined ? {} : { canaryIds: options.health.canaryIds }),
  })
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    inFlight: () => Math.max(app.inFlight(), http.pending()),
    stop,
  })
  const deps: AppDeps = {
    pipeline,
    health,
    log,
    accessLog: bufferedLog(log),
    workers: () => workers,
    state: () => lifecycle.state,
    limits: { ...defaultLimits, ...options.limits },
    ignoreUnknownFields: options.ignoreUnknownFields,
    ...(options.corsOrigin === undefined ? {} : { corsOrigin: options.corsOrigin }),
    excludeToolsWhenNone: options.excludeToolsWhenNone,
    version: options.version,
    endpoint: options.endpoint,
  }
  const app = createApp(deps)
  const http = startHttp({ app, ...options.http })
  const system = options.system && startHttp({ app: createSystemApp(deps), ...options.system, portFlag: 'DYN_SYSTEM_PORT' })

  async function stop(): Promise<void> {
    await Promise.all(workers.map((worker) => worker.engine.stop(0)))
    // Connections that are kept alive without a request would hold the port open.
    await http.stop(true)
    await system?.stop(true)
  }

  return {
    url: http.url,
    lifecycle,
    async start() {
      try {
        const started = await start(options, models, workers, lifecycle)
        await app.warm()
        return started
      } catch (error) {
        await stop()
        throw error
      }
    },
    kill() {
      for (const worker of workers) void worker.engine.stop(0)
    },
  }
}

async function start(options: ServeOptions, models: ModelRegistry, workers: LocalWorker[], lifecycle: Lifecycle) {
  const { loadModelFiles, mockModel } = await import('./load-model.ts')
  const { makeEngine } = await import('./make-engine.ts')
  const { path } = options.model
  // SGLang takes tens of seconds to start, so the files are read beside it.
  const reading = path === undefined ? undefined : loadModelFiles(path, options.model)
  reading?.catch(() => {})
  const engine = await makeEngine(options.engine, options, async () => mockModel(path!, await reading!, options.model.contextLength))
  const worker: LocalWorker = { id: `${options.engine.kind}-0`, engine }
  workers.push(worker)
  watch(worker)
  const starting = engine.start()
  starting.catch(() => {})
  const early = reading === undefined ? undefined : await reading
  const info = await starting
  const files = early ?? (await loadModelFiles(info.modelPath, options.model))
  const [id = path ?? info.modelPath, ...aliases] = options.model.servedNames
  const contextLength = info.contextLength
  models.add({
    served: { id, aliases, createdSecs: Math.floor(Date.now() / 1000), contextLength, isEmbedding: info.isEmbedding },
    tokenizer: files.tokenizer,
    template: info.isEmbedding ? undefined : files.template,
    samplingDefaults: files.samplingDefaults,
    engineTokenizes: options.model.engineTokenizes,
    router: localRouter(workers),
    info: { ...info, eosIds: info.eosIds.length > 0 ? info.eosIds : files.facts.eosIds },
  })
  modelContextLength.set({ model: id }, contextLength)
  modelKvBlockSize.set({ model: id }, info.blockSize)
  modelTotalKvBlocks.set({ model: id }, Math.ceil(info.totalKvTokens / info.blockSize) * info.dpSize)
  lifecycle.markReady()
  return { model: id, engine }
}

/** An engine's ups and downs into the log and the metrics. */
function watch(worker: LocalWorker): void {
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
