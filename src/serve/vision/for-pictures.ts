// The encoders as a language engine's pictures find them. An encoder's failure is not the language engine's: it has codes of its own, so that the router goes on sending text
// there, and nobody tries the request again where the same encoders would fail it again.
import type { EmbeddingCache } from '../../engine/vision/cache.ts'
import type { VisionPool } from '../../engine/vision/pool/pool.ts'
import type { Embeddings, VisionEncoder } from '../../engine/vision/vision.ts'
import { AppError, requestCancelled, toAppError } from '../../lib/errors.ts'
import type { SizeCheck } from './size-limit.ts'

/** As long as the pool itself waits while none of its encoders is ready. */
const firstMs = 1800

export interface PicturesOptions {
  /** How long a picture waits for the first encoder. */
  waitMs?: number
  /** Refuses what is too large, before anything is sent. */
  check?: SizeCheck
}

/** `pool` is started and stopped by who made it. */
export function forPictures(pool: VisionPool, cache: EmbeddingCache, options: PicturesOptions = {}): VisionEncoder {
  const { waitMs = firstMs, check = () => {} } = options
  return {
    get info() {
      return pool.info
    },
    get ready() {
      return pool.ready
    },
    start: () => pool.start(),
    async encode(item, signal): Promise<Embeddings> {
      try {
        check(item)
        if (!isKnown(pool)) await first(pool, signal, waitMs)
        return await cache.encode(pool, item, signal)
      } catch (thrown) {
        throw inOurWords(toAppError(thrown))
      }
    },
    patchesInFlight: () => pool.patchesInFlight(),
    on: (listener) => pool.on(listener),
    stop: () => pool.stop(),
  }
}

/** Whether some encoder has been there. */
function isKnown(pool: VisionPool): boolean {
  try {
    return pool.info !== undefined
  } catch {
    return false
  }
}

function first(pool: VisionPool, signal: AbortSignal, waitMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const over = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: AppError) => {
      over()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new AppError('encoder_unavailable', { message: 'No vision encoder has been found yet; start an encode worker.' })),
      waitMs,
    )
    const onAbort = () => fail(requestCancelled())
    signal.addEventListener('abort', onAbort, { once: true })
    pool.start().then(
      (info) => {
        over()
        resolve(info)
      },
      (thrown) => fail(toAppError(thrown)),
    )
    if (signal.aborted) onAbort()
  })
}

function inOurWords(error: AppError): AppError {
  const { message, cause } = error
  if (error.code === 'engine_unavailable' || error.code === 'encoder_unavailable' || error.code === 'shutting_down')
    return new AppError('encoder_unavailable', {
      message: `The picture could not be encoded: ${message}`,
      retryAfterSecs: error.retryAfterSecs ?? 2,
      cause,
    })
  return error.code === 'engine_failed' || error.code === 'internal_error'
    ? new AppError('encoder_failed', { message: `The picture could not be encoded: ${message}`, cause })
    : error
}
