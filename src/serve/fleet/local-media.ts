// `serve` with a diffusion role: N engines of this process tree, each behind a queue of its own, one API over all of them.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DiffusionEngine, DiffusionInfo } from '../../engine/diffusion/diffusion.ts'
import { readModelIndex } from '../../engine/diffusion/model-index.ts'
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { mediaEncoding, mediaQueued, mediaRunning, mediaScrapes, videoJobs } from '../../lib/media-metrics.ts'
import { engineReady, engineRestarts } from '../../lib/metrics.ts'
import { type LocalMaker, localMaker } from '../../pipeline/media/local-maker.ts'
import { mediaRegistry } from '../../pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../pipeline/media/pipeline.ts'
import { modelRegistry } from '../../pipeline/model.ts'
import { resolveModel } from '../../tokenizer/hub.ts'
import { type Front, openFront } from '../front.ts'
import { mediaEncoders } from '../media/encoders.ts'
import { mediaHealth } from '../media/health.ts'
import { makeDiffusionEngine } from '../media/make-engine.ts'
import { type MeasuredMaker, measuredMaker } from '../media/measured.ts'
import { openMediaApi } from '../media/open-api.ts'
import type { MediaServeOptions } from '../options.ts'
import { diffusionCopy } from './engine-copies.ts'

export interface MediaServing {
  /** Where the API listens. */
  url: string
  lifecycle: Front['lifecycle']
  /** Starts the engines; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<{ model: string; info: DiffusionInfo }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** An engine of ours, from before its start to its end. */
interface Own {
  readonly id: string
  readonly engine: DiffusionEngine
  /** Why it is not ready. */
  reason: string
  queue?: LocalMaker
  maker?: MeasuredMaker
}

/** Opens the port and answers /live; `start` makes it serve. Throws AppError `port_in_use`. */
export function openMediaServing(options: MediaServeOptions): MediaServing {
  const { makes } = options
  const registry = mediaRegistry()
  const pipeline = mediaPipeline(registry)
  const own: Own[] = []
  const opening = openMediaApi(options, pipeline)
  opening.catch(() => {})
  let jobs: Awaited<typeof opening>['jobs'] | undefined

  const use = `makes ${makes}s: ask POST ${makes === 'image' ? '/v1/images/generations' : '/v1/videos'}`
  const front = openFront(options, {
    models: modelRegistry(() => pipeline.models().map(({ id, aliases }) => ({ id, aliases, use }))),
    workers: () => [],
    canary: () => false,
    media: {
      models: () => pipeline.models(),
      ready: () => pipeline.ready(makes),
      health: mediaHealth({
        makers: () => own.map(watched),
        freshMs: options.health.canaryFreshMs,
        ...(options.canary === undefined ? {} : { payload: options.canary }),
      }),
      inFlight() {
        const { queued = 0, in_progress = 0 } = jobs?.counts() ?? {}
        return queued + in_progress
      },
      handlers: async () => (await opening).handlers,
      workers: () => own,
    },
    draining() {
      // What waits would not be made any more; who sent it can go elsewhere now.
      for (const { queue } of own) queue?.close()
      void jobs?.close(options.drainMs)
    },
    stop,
  })

  const fill = () => {
    for (const { id, queue } of own) {
      const { waiting = 0, running = 0, encoding = 0 } = queue?.load() ?? {}
      mediaQueued.set({ worker_id: id }, waiting)
      mediaRunning.set({ worker_id: id }, running)
      mediaEncoding.set({ worker_id: id }, encoding)
    }
    for (const [status, count] of Object.entries(jobs?.counts() ?? {})) videoJobs.set({ status }, count)
  }
  mediaScrapes.add(fill)

  async function stop(): Promise<void> {
    for (const { queue } of own) queue?.close()
    // What runs is aborted by its engine's end; its job is told first why.
    await jobs?.close(0)
    await Promise.all(own.map(({ engine }) => engine.stop(0)))
    await opening.then((opened) => opened.close()).catch(() => {})
    mediaScrapes.delete(fill)
  }

  async function start(): Promise<{ model: string; info: DiffusionInfo }> {
    // A store that cannot be written is found before minutes of loading.
    const opened = await opening
    jobs = opened.jobs
    const folder = await modelFolder(options)
    for (let i = 0; i < options.workers; i++) {
      const id = options.workerId(i)
      const copy = diffusionCopy(options.engine, i, options.workers)
      const label = options.workers === 1 ? options.engine.kind : id
      const engine = await makeDiffusionEngine(copy, { modelPath: folder, makes, version: options.version }, label)
      const one: Own = { id, engine, reason: 'starting' }
      watch(one)
      own.push(one)
    }
    await Promise.all(own.map(({ engine }) => engine.start()))
    const { info } = own[0]!.engine
    const [id = options.model.path, ...aliases] = options.model.servedNames
    const encoders = mediaEncoders(options.media)
    for (const one of own) {
      one.queue = localMaker({ id: one.id, engine: one.engine, encoders, model: id, queueLimit: options.media.queueLimit })
      one.maker = measuredMaker(one.queue, id)
    }
    registry.add(
      { id, aliases, createdSecs: Math.floor(Date.now() / 1000), makes },
      own.map(({ maker }) => maker!),
    )
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
    kill() {
      for (const { engine } of own) void engine.stop(0)
    },
  }
}

/** Its ups and downs into the log, the metrics and /health. */
function watch(one: Own): void {
  const labels = { worker_id: one.id }
  let wasReady = false
  engineReady.set(labels, 0)
  one.engine.on((event) => {
    one.reason = event.reason
    engineReady.set(labels, event.ready ? 1 : 0)
    if (event.ready && wasReady) engineRestarts.inc(labels)
    wasReady ||= event.ready
    log[event.ready ? 'info' : 'warn']({ worker: one.id, ready: event.ready }, event.reason)
  })
}

function watched({ id, reason, maker, engine }: Own) {
  if (maker === undefined) return { id, reason }
  const { kind, version, modelPath } = engine.info
  return { maker, reason, engine: { kind, level: engine.info.pipeline, version, model: modelPath } }
}

/** The folder with model_index.json, so that what cannot work is told before minutes of loading. Rejects with a start-up AppError. */
async function modelFolder({ model, engine }: MediaServeOptions): Promise<string> {
  const { path } = model
  try {
    const folder = await resolveModel(path, model.hub)
    readModelIndex(folder)
    return folder
  } catch (thrown) {
    const error = toAppError(thrown)
    if (existsSync(join(path, 'config.json')) && error.code === 'model_files_invalid')
      throw new AppError(error.code, {
        message: `${error.message} There is a config.json: a text model is served without a diffusion role.`,
        param: error.param ?? undefined,
      })
    if (!model.standard || engine.kind !== 'sglang') throw error
    throw new AppError(error.code, {
      message: `Without --model-path the model is ${path}, and that does not work here: ${error.message}. Give --model-path FOLDER, or --engine mock to try the server without a model.`,
      param: '--model-path',
      cause: error,
    })
  }
}
