// Makers and stores as they are, with every job counted: the metrics of images and videos, and the sign of life that health looks at.
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { mediaFailures, mediaJobs, mediaSeconds, mediaSteps, mediaStored, mediaStoreFailures } from '../../lib/media-metrics.ts'
import type { MediaStore } from '../../media/store.ts'
import type { Made, MediaMaker, MediaRequest } from '../../pipeline/media/media.ts'

export interface MeasuredMaker extends MediaMaker {
  /** The same, uncounted: for proofs of life. */
  readonly plain: MediaMaker
  /** performance.now() of the last step, frame or finished job. */
  readonly movedAt: number
}

/** `model` is the label. */
export function measuredMaker(maker: MediaMaker, model: string): MeasuredMaker {
  const labels = { model, worker_id: maker.id }
  let movedAt = performance.now()
  const moved = () => {
    movedAt = performance.now()
  }
  return {
    id: maker.id,
    plain: maker,
    get info() {
      return maker.info
    },
    get ready() {
      return maker.ready
    },
    get movedAt() {
      return movedAt
    },
    pending: () => maker.pending(),
    control: (name, args) => maker.control(name, args),
    async make(request, listener, signal) {
      try {
        const made = await maker.make(
          request,
          {
            ...listener,
            started(workerId) {
              moved()
              listener.started?.(workerId)
            },
            progress(step, steps, output, fraction) {
              moved()
              mediaSteps.inc(labels)
              listener.progress?.(step, steps, output, fraction)
            },
          },
          signal,
        )
        moved()
        mediaJobs.inc(labels)
        for (const [stage, ms] of Object.entries({ ...made.ms, ...made.engineMs })) mediaSeconds.inc({ ...labels, stage }, ms / 1000)
        logEnd(request, maker.id, made)
        return made
      } catch (thrown) {
        const { code, message } = toAppError(thrown)
        mediaFailures.inc({ ...labels, reason: code })
        log.info({ id: request.requestId, worker: maker.id, ending: code, error: message }, `${request.kind} not made`)
        throw thrown
      }
    },
  }
}

/** A job of POST /v1/videos ends long after its request: this line is all that a log has of it. */
function logEnd({ requestId, kind }: MediaRequest, worker: string, { ms, files, width, height, frames, steps }: Made): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0)
  const times = Object.fromEntries(Object.entries(ms).map(([stage, one]) => [`${stage}Ms`, Math.round(one * 10) / 10]))
  log.info({ id: requestId, worker, outputs: files.length, size: `${width}x${height}`, frames, steps, bytes, ...times }, `${kind} made`)
}

export function measuredStore(store: MediaStore): MediaStore {
  return {
    place: store.place,
    async save(path, bytes, contentType) {
      try {
        const url = await store.save(path, bytes, contentType)
        mediaStored.inc(bytes.byteLength)
        return url
      } catch (thrown) {
        mediaStoreFailures.inc()
        throw thrown
      }
    },
    open: (path) => store.open(path),
    remove: (path) => store.remove(path),
    sweep: (now) => store.sweep(now),
    close: () => store.close(),
  }
}
