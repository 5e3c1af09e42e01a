// What the handlers ask: finds the model, places the job on a maker, and moves it to another one if its maker is gone before it began.
import { AppError, toAppError } from '../../lib/errors.ts'
import type { Made, MediaListener, MediaMaker, MediaPipeline, MediaRequest } from './media.ts'
import type { MediaModel, MediaRegistry } from './media-registry.ts'
import { placeJob } from './place.ts'

export function mediaPipeline(registry: MediaRegistry): MediaPipeline {
  return {
    models: () => registry.all().map(({ served }) => served),
    ready: (kind) => registry.all().some(({ served, makers }) => served.makes === kind && makers.some((maker) => maker.ready)),
    info(kind, model) {
      const found = registry.find(kind, model)
      return { ...maker(found).info, id: found.served.id }
    },
    async make(request, listener, signal) {
      return run(registry.find(request.kind, request.model), request, listener, signal)
    },
    async control(model, name, args) {
      const models = model === undefined ? registry.all() : [registry.named(model)]
      return Promise.all(models.flatMap(({ makers }) => makers).map((each) => each.control(name, args)))
    },
  }
}

async function run(model: MediaModel, request: MediaRequest, listener: MediaListener, signal: AbortSignal): Promise<Made> {
  const tried = new Set<MediaMaker>()
  for (;;) {
    const chosen = placeJob(model.makers.filter((other) => !tried.has(other))) ?? maker(model)
    let started = false
    const watched: MediaListener = {
      ...listener,
      started(workerId) {
        started = true
        listener.started?.(workerId)
      },
    }
    try {
      return { ...(await chosen.make(request, watched, signal)), model: model.served.id }
    } catch (thrown) {
      tried.add(chosen)
      const gone = toAppError(thrown).code === 'engine_unavailable' && !started && !signal.aborted
      if (!gone || placeJob(model.makers.filter((other) => !tried.has(other))) === undefined) throw thrown
    }
  }
}

/** One that can take a job now; throws `engine_unavailable`. */
function maker(model: MediaModel): MediaMaker {
  const found = placeJob(model.makers)
  if (found !== undefined) return found
  const message = `No engine of the model '${model.served.id}' is ready; try again shortly.`
  throw new AppError('engine_unavailable', { message, retryAfterSecs: 5 })
}
