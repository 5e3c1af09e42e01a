// So many at a time, the rest waits in order: for work whose memory is what a stranger's file says.
import { inTime } from './in-time.ts'

/**
 * Returns a function that runs what it is given, at most `limit` at once, and settles as that does. When the signal aborts it rejects with its reason:
 * work that waits is never begun, work that runs keeps its place until it ends.
 */
export function atMost(limit: number): <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T> {
  let running = 0
  const waiting = new Set<() => void>()
  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        waiting.delete(wake)
        reject(signal.reason)
      }
      waiting.add(wake)
      signal.addEventListener('abort', leave, { once: true })
    })
  const next = () => {
    const [wake] = waiting
    if (wake === undefined) return running--
    waiting.delete(wake)
    wake()
  }
  return async (work, signal) => {
    signal.throwIfAborted()
    // Who is woken takes the place of who has ended, so the count stays.
    if (running >= limit) await turn(signal)
    else running++
    return inTime(work().finally(next), signal)
  }
}
