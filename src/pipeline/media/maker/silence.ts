// Notices that something which should give signs has stopped giving them.

export interface Watch {
  sign(): void
  stop(): void
}

/** Calls `silent` once, when there was no sign for `ms`; may be up to a quarter later. `stop` must follow. */
export function watchSilence(ms: number, silent: () => void): Watch {
  let last = performance.now()
  const timer = setInterval(
    () => {
      if (performance.now() - last < ms) return
      clearInterval(timer)
      silent()
    },
    Math.ceil(ms / 4),
  )
  return {
    sign() {
      last = performance.now()
    },
    stop: () => clearInterval(timer),
  }
}
