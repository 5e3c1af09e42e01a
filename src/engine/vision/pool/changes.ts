// Waiting for something to change, with an end: everybody who waits looks again after each change.

export class Changes {
  private readonly waiters = new Set<() => void>()

  tell(): void {
    for (const waiter of [...this.waiters]) waiter()
  }

  /** Resolves at the next change, after `ms`, or when `signal` aborts. */
  next(ms?: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.waiters.delete(end)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = ms === undefined ? undefined : setTimeout(end, ms)
      this.waiters.add(end)
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted) end()
    })
  }
}
