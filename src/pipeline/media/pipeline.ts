// What the handlers ask: finds the model, places the job on a maker, and moves it to another one if its maker is gone, or full, before it began.
import { AppError, type ErrorCode, toAppError } from '../../lib/errors.ts'
import type { Made, MediaListener, MediaMaker, MediaPipeline, MediaRequest } from './media.ts'
import type { MediaModel, MediaRegistry } from './media-registry.ts'
import { placeJob } from './place.ts'

/** Failures of one maker that say nothing of the others: it is gone, or its queue is full. */
const elsewhere: ReadonlySet<ErrorCode> = new Set(['engine_unavailable', 'overloaded'])

/** `lookMs`: how often a waiting job looks whether its maker is still there while another one could take it. */
export function mediaPipeline(registry: MediaRegistry, { lookMs = 250 }: { lookMs?: number } = {}): MediaPipeline {
  return {
    models: () => registry.all().map(({ served }) => served),
    ready: (kind) => registry.all().some(({ served, makers }) => served.makes === kind && makers.some((maker) => maker.ready)),
    info(kind, model) {
      const found = registry.find(kind, model)
      return { ...maker(found).info, id: found.served.id }
    },
    async make(request, listener, signal) {
      return run(registry.find(request.kind, request.model), request, listener, signal, lookMs)
    },
    async control(model, name, args) {
      const models = model === undefined ? registry.all() : [registry.named(model)]
      return Promise.all(models.flatMap(({ makers }) => makers).map((each) => each.control(name, args)))
    },
  }
}

async function run(model: MediaModel, request: MediaRequest, listener: MediaListener, signal: AbortSignal, lookMs: number): Promise<Made> {
  const tried = new Set<MediaMaker>()
  for (;;) {
    const others = () => placeJob(model.makers.filter((other) => !tried.has(other)))
    const chosen = others() ?? maker(model)
    tried.add(chosen)
    let started = false
    const watched: MediaListener = {
      ...listener,
      queued(ahead) {
        // Also a job that found no engine when its turn came, and waits again.
        started = false
        listener.queued?.(ahead)
      },
      started(workerId) {
        started = true
        listener.started?.(workerId)
      },
    }
    // Ends this attempt: the client's abort, or a better place while the job still waits.
    const attempt = new AbortController()
    const onAbort = () => attempt.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const look = setInterval(() => !started && !chosen.ready && others() !== undefined && attempt.abort(), lookMs)
    try {
      return { ...(await chosen.make(request, watched, attempt.signal)), model: model.served.id }
    } catch (thrown) {
      if (signal.aborted || started || others() === undefined) throw thrown
      if (!attempt.signal.aborted && !elsewhere.has(toAppError(thrown).code)) throw thrown
    } finally {
      clearInterval(look)
      signal.removeEventListener('abort', onAbort)
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
