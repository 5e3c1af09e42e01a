// So many at a time, the rest waits in order: for work whose memory is what a stranger's file says.

/** Returns a function that runs what it is given, at most `limit` at once, and settles as that does. */
export function atMost(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    // Who is woken takes the place of who has ended, so the count stays.
    if (running >= limit) await new Promise<void>((wake) => waiting.push(wake))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
