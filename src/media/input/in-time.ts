// Waiting for work that cannot be stopped, for as long as somebody wants its result.

/** Settles as `work` does, or rejects with the signal's reason as soon as that aborts; what comes of the work then is dropped. */
export function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
