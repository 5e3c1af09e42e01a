// Waiting for a server that is not up yet: two containers that start together do so in any order.
import { type ServerFacts, Unreachable } from './info.ts'

export interface Wait {
  startWaitMs: number
  /** Told when the wait begins, and every 30 s. */
  onNotice: (text: string) => void
  /** Ends the wait. */
  gone: AbortSignal
}

/** What `read` resolves with; asked again every second while it rejects with Unreachable. Rejects with its last error. */
export async function waitForServer(read: () => Promise<ServerFacts>, { startWaitMs, onNotice, gone }: Wait): Promise<ServerFacts> {
  const begin = performance.now()
  let noticed = Number.NEGATIVE_INFINITY
  for (;;) {
    try {
      return await read()
    } catch (thrown) {
      const now = performance.now()
      if (!(thrown instanceof Unreachable) || gone.aborted || now - begin >= startWaitMs) throw thrown
      if (now - noticed >= 30_000) {
        noticed = now
        onNotice(`${thrown.message}; waiting for it`)
      }
    }
    await pause(Math.min(1000, startWaitMs), gone)
  }
}

/** `ms` milliseconds, or until `gone`. */
function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      gone.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    gone.addEventListener('abort', end)
    if (gone.aborted) end()
  })
}
