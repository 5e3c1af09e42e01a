// Diffusion engines of this process tree, each behind a queue of its own: what `serve` and `worker` with a diffusion role have in common.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { configureKernels } from '../../../../kernels/perform.ts'
import type { DiffusionEngine, DiffusionInfo } from '../../../engine/diffusion/diffusion.ts'
import { checkWeights, readModelIndex } from '../../../engine/diffusion/model-index.ts'
import { AppError, toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import { mediaEncoding, mediaQueued, mediaRunning, mediaScrapes } from '../../../lib/media-metrics.ts'
import { engineReady, engineRestarts } from '../../../lib/metrics.ts'
import { type LocalMaker, localMaker } from '../../../pipeline/media/local-maker.ts'
import { resolveModel } from '../../../tokenizer/hub.ts'
import type { Controlled } from '../../control/engine.ts'
import type { Health } from '../../health.ts'
import { stoppedAtStart } from '../../lifecycle.ts'
import { openCodecs } from '../../media/codecs.ts'
import { mediaEncoders } from '../../media/encoders.ts'
import { findFfmpeg } from '../../media/find-ffmpeg.ts'
import { mediaHealth } from '../../media/health.ts'
import { makeDiffusionEngine } from '../../media/make-engine.ts'
import { type MeasuredMaker, measuredMaker } from '../../media/measured.ts'
import type { MediaEngineOptions } from '../../options.ts'
import { diffusionCopy } from '../engine-copies.ts'

export interface StartedMakers {
  /** What clients call the model; the first is the id. */
  names: readonly [string, ...string[]]
  /** Of the first engine. */
  info: DiffusionInfo
  makers: readonly MeasuredMaker[]
  engines: readonly DiffusionEngine[]
}

export interface OwnMakers {
  readonly health: Health
  /** What operations are run on. */
  engines(): readonly Controlled[]
  /** Resolves when every engine can take jobs; rejects with a start-up AppError, and then `stop` is due. After a `stop` no engine starts: `shutting_down`. */
  start(): Promise<StartedMakers>
  /** Jobs that wait, run or are encoded. */
  pending(): number
  /** What waits is told to go elsewhere, nothing new is taken; what runs goes on. */
  refuse(): void
  stop(): Promise<void>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** An engine from before its start to its end. */
interface Own {
  readonly id: string
  readonly engine: DiffusionEngine
  /** Why it is not ready. */
  reason: string
  queue?: LocalMaker
  maker?: MeasuredMaker
}

/** Nothing happens until `start`. */
export function ownMakers(options: MediaEngineOptions, canaryFreshMs: number): OwnMakers {
  const own: Own[] = []
  let stopped = false
  const goOn = () => {
    if (stopped) throw stoppedAtStart()
  }
  const fill = () => {
    for (const { id, queue } of own) {
      const { waiting = 0, running = 0, encoding = 0 } = queue?.load() ?? {}
      mediaQueued.set({ worker_id: id }, waiting)
      mediaRunning.set({ worker_id: id }, running)
      mediaEncoding.set({ worker_id: id }, encoding)
    }
  }
  mediaScrapes.add(fill)
  const refuse = () => {
    for (const { queue } of own) queue?.close()
  }
  return {
    health: mediaHealth({
      makers: () => own.map(watched),
      freshMs: canaryFreshMs,
      ...(options.canary === undefined ? {} : { payload: options.canary }),
    }),
    engines: () => own,
    start: () => start(options, own, goOn),
    pending: () => own.reduce((sum, { queue }) => sum + (queue?.pending() ?? 0), 0),
    refuse,
    async stop() {
      stopped = true
      refuse()
      await Promise.all(own.map(({ engine }) => engine.stop(0)))
      mediaScrapes.delete(fill)
    },
    kill() {
      stopped = true
      for (const { engine } of own) void engine.stop(0)
    },
  }
}

/** `goOn` throws when none of it is wanted any more. */
async function start(options: MediaEngineOptions, own: Own[], goOn: () => void): Promise<StartedMakers> {
  goOn()
  const { makes, workers, version } = options
  const media = {
    ...options.media,
    ffmpeg: makes === 'video' ? await findFfmpeg(options.media.ffmpeg, options.engine) : options.media.ffmpeg,
  }
  goOn()
  configureKernels({ mode: media.kernels })
  await openCodecs({ makes, media })
  goOn()
  const folder = await modelFolder(options)
  for (let i = 0; i < workers; i++) {
    const id = options.workerId(i)
    const copy = diffusionCopy(options.engine, i, workers)
    const label = workers === 1 ? options.engine.kind : id
    const engine = await makeDiffusionEngine(copy, { modelPath: folder, makes, version }, label)
    goOn()
    const one: Own = { id, engine, reason: 'starting' }
    watch(one)
    own.push(one)
  }
  await Promise.all(own.map(({ engine }) => engine.start()))
  goOn()
  const [id = options.model.path, ...aliases] = options.model.servedNames
  const encoders = mediaEncoders(media)
  for (const one of own) {
    one.queue = localMaker({ id: one.id, engine: one.engine, encoders, model: id, queueLimit: media.queueLimit })
    one.maker = measuredMaker(one.queue, id)
  }
  const engines = own.map(({ engine }) => engine)
  return { names: [id, ...aliases], info: engines[0]!.info, makers: own.map(({ maker }) => maker!), engines }
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
async function modelFolder({ model, engine }: MediaEngineOptions): Promise<string> {
  const { path } = model
  try {
    const folder = await resolveModel(path, model.hub)
    const index = readModelIndex(folder)
    // Of a model by name only the small files are here; SGLang fetches the rest.
    if (engine.kind === 'sglang' && folder === path) checkWeights(folder, index, engine.args)
    return folder
  } catch (thrown) {
    const error = toAppError(thrown)
    if (error.code === 'model_files_invalid' && existsSync(join(path, 'config.json')) && !existsSync(join(path, 'model_index.json')))
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
