// The life of a serving process: starting → ready → leaving (unready, still serving) → draining (refusing) → stopped. Signals drive the end of it.
import { AppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'

export type LifeState = 'starting' | 'ready' | 'leaving' | 'draining' | 'stopped'

/** What the end of the process needs from the rest of it. */
export interface LifecycleParts {
  /** Between "not ready" and refusing requests: time for load balancers to look away. */
  graceMs: number
  /** How long running requests may take after that. */
  drainMs: number
  /** Takes the process out of others' sight; comes first. */
  leaving?(): Promise<void>
  /** New requests are refused from now on: what waits for its turn can be told so. */
  draining?(): void
  /** Requests that are running now. */
  inFlight(): number
  /** Aborts what still runs, ends engines and closes the port. */
  stop(): Promise<void>
}

export interface Lifecycle {
  readonly state: LifeState
  /** The engine can serve; nothing happens once the end has begun. */
  markReady(): void
  /** For a start, after each wait: throws `shutting_down` once the end has begun, so that nothing is begun which the end has not seen. */
  goOn(): void
  /** Begins the end (as SIGTERM does); resolves when everything has stopped. A second call gives the same promise. */
  leave(reason: string): Promise<void>
  /** Resolves when everything has stopped. */
  readonly stopped: Promise<void>
}

const POLL_MS = 20

/** `parts` may be completed after this returns, but before the first signal matters. */
export function createLifecycle(parts: LifecycleParts): Lifecycle {
  let state: LifeState = 'starting'
  let leaving: Promise<void> | undefined
  const { promise: stopped, resolve: resolveStopped } = Promise.withResolvers<void>()

  async function leaveOnce(reason: string): Promise<void> {
    const wasReady = state === 'ready'
    state = 'leaving'
    log.info({ reason, graceMs: wasReady ? parts.graceMs : 0 }, 'stopping: no longer ready')
    await parts.leaving?.()
    // Nobody routes to a process that was never ready.
    if (wasReady) await Bun.sleep(parts.graceMs)
    state = 'draining'
    parts.draining?.()
    const deadline = performance.now() + parts.drainMs
    while (parts.inFlight() > 0 && performance.now() < deadline) await Bun.sleep(POLL_MS)
    if (parts.inFlight() > 0) log.warn({ inFlight: parts.inFlight() }, 'stopping: drain time is over, aborting the rest')
    await parts.stop()
    state = 'stopped'
    resolveStopped()
  }

  return {
    get state() {
      return state
    },
    markReady() {
      if (state === 'starting') state = 'ready'
    },
    goOn() {
      if (state !== 'starting') throw stoppedAtStart()
    },
    leave(reason) {
      leaving ??= leaveOnce(reason)
      return leaving
    },
    stopped,
  }
}

/** Why a start came to nothing that was ended in the middle. */
export function stoppedAtStart(): AppError {
  return new AppError('shutting_down', { message: 'It was stopped while it started.' })
}

/**
 * SIGTERM and SIGINT begin the end; a second one ends the process at once through `kill` (exit code 130).
 * Returns a function that takes the handlers away.
 */
export function onSignals(lifecycle: Lifecycle, kill: () => void): () => void {
  const handle = (signal: NodeJS.Signals) => {
    if (lifecycle.state === 'leaving' || lifecycle.state === 'draining') {
      log.warn({ signal }, 'second signal: ending at once')
      kill()
      process.exit(130)
    }
    void lifecycle.leave(signal)
  }
  process.on('SIGTERM', handle)
  process.on('SIGINT', handle)
  return () => {
    process.off('SIGTERM', handle)
    process.off('SIGINT', handle)
  }
}
