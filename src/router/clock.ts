// Time as the router sees it: a bench or a test may bring its own.

export interface Clock {
  /** ms from any fixed point, never backwards. */
  now(): number
  /** Calls `run` once after `ms`; the returned function prevents it. */
  after(ms: number, run: () => void): () => void
}

export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
