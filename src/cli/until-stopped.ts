// What `serve`, `frontend` and `worker` do once they are open: start, tell the terminal, and stay until a signal has ended them.
import { type Lifecycle, onSignals } from '../serve/lifecycle.ts'

/** A process of ours, opened and not started. */
export interface Opened<Started> {
  readonly lifecycle: Lifecycle
  /** Rejects with a start-up AppError. */
  start(): Promise<Started>
  /** Ends every child process at once, for a second signal; absent: there are none. */
  kill?(): void
}

interface Told<Started> {
  /** Says that it is open: only once a signal ends it as it should, because who reads the line may send one. */
  open(): void
  /** It works. */
  ready(started: Started): void
}

/** `tell` is called as it goes. Resolves with the exit code when it has stopped; rejects with a start-up AppError. */
export async function untilStopped<Started>(opened: Opened<Started>, tell: Told<Started>): Promise<number> {
  const { lifecycle } = opened
  const unsignal = onSignals(lifecycle, () => opened.kill?.())
  tell.open()
  try {
    // A signal during the start ends it, even if the engine does not come to an end with its start.
    const started = await Promise.race([opened.start(), lifecycle.stopped])
    if (lifecycle.state === 'ready') tell.ready(started as Started)
  } catch (error) {
    if (lifecycle.state === 'starting') throw error
  }
  await lifecycle.stopped
  unsignal()
  return 0
}
