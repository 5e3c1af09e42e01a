// An abort is told again until the engine confirms it: a message may overtake the request it means, or be read by one rank late.

const firstWaitMs = 50
const lastWaitMs = 1000
/** After this long the caller gets its terminal even if the engine has said nothing. */
export const forcedEndMs = 1000
/** Told this often in all, an engine that stays silent is hung; its watchdog is what helps then. */
const maxTold = 64

/** Calls `tell` now and again after growing waits. The returned function ends it. */
export function repeatAbort(tell: () => void): () => void {
  let waitMs = firstWaitMs
  let told = 1
  let timer: ReturnType<typeof setTimeout> | undefined
  const next = () => {
    tell()
    if (++told > maxTold) return
    waitMs = Math.min(waitMs * 2, lastWaitMs)
    timer = setTimeout(next, waitMs)
  }
  tell()
  timer = setTimeout(next, waitMs)
  return () => clearTimeout(timer)
}
