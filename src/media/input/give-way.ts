// So many at a time, and who takes long gives way to who waits: servers of strangers that let us wait must not keep the files of others out.
import { AppError } from '../../lib/errors.ts'
import { inTime } from './in-time.ts'

export interface GivesWay {
  /** At once. */
  most: number
  /** After so long one gives way, if others wait. */
  fairMs: number
}

/**
 * Returns a function that runs what it is given, with a signal that also aborts when it has to give way, and settles as that does; it rejects with the caller's reason when
 * `signal` aborts, and with `overloaded` naming `param` when it had to give way or when `signal` aborted before there was a place.
 */
export function givingWay({ most, fairMs }: GivesWay) {
  /** Since when, the longest first. */
  const running = new Map<AbortController, { since: number; param: string }>()
  const waiting = new Set<() => void>()
  let timer: ReturnType<typeof setTimeout> | undefined

  const admit = () => {
    clearTimeout(timer)
    for (const first of waiting) {
      const [oldest, what] = running.entries().next().value ?? []
      if (running.size >= most && oldest !== undefined) {
        const left = what!.since + fairMs - performance.now()
        if (left > 0) {
          timer = setTimeout(admit, left)
          return
        }
        running.delete(oldest)
        oldest.abort(tooMany(what!.param))
      }
      waiting.delete(first)
      first()
    }
  }

  const turn = (signal: AbortSignal, enter: () => void, param: string) =>
    new Promise<void>((resolve, reject) => {
      const leave = () => {
        waiting.delete(wake)
        reject(tooMany(param, signal.reason))
      }
      const wake = () => {
        signal.removeEventListener('abort', leave)
        enter()
        resolve()
      }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      waiting.add(wake)
      admit()
    })

  return async <T>(param: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const me = new AbortController()
    await turn(signal, () => running.set(me, { since: performance.now(), param }), param)
    const either = AbortSignal.any([signal, me.signal])
    try {
      return await inTime(work(either), either)
    } finally {
      running.delete(me)
      admit()
    }
  }
}

/** The refusal: it is this server that cannot take more now. */
export function tooMany(param: string, cause?: unknown): AppError {
  const message = `The file at ${param} was not fetched: the server reads too many files at once now. Try again shortly.`
  return new AppError('overloaded', { param, message, retryAfterSecs: 1, cause })
}
