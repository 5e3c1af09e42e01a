// The loop around queue.ts: promises for turns, a limit on how long one waits, and an estimate for who finds no room.
import { AppError } from '../../lib/errors.ts'
import { emptyQueue, type QueueEvent, type QueueState, stepQueue } from './queue.ts'

export interface TurnsOptions {
  slots: number
  open: boolean
  /** Jobs that may wait. */
  limit: number
  /** Waiting longer than this is a failure. */
  waitMs: number
}

/** A place in the queue, then in the engine. Exactly one `leave` must follow, whatever happens; it is idempotent. */
export interface Turn {
  /**
   * Resolves when the engine may be used. Rejects with AppError: `overloaded` (no room, or waited too long), `engine_unavailable` (waited
   * too long for an engine that is down), `client_closed_request`, `shutting_down`.
   */
  readonly granted: Promise<void>
  /** The engine is done with the job; encoding goes on. `ms`: how long it took, if it is an example for others. */
  made(ms?: number): void
  /** The engine was not there: a new `granted` for the same turn, at the front. */
  again(): Turn
  leave(): void
}

export interface Turns {
  /** `ahead` is told while the turn waits. */
  take(id: string, signal: AbortSignal, ahead: (jobs: number) => void): Turn
  engine(open: boolean, slots: number): void
  /** Jobs that wait or run or are encoded. */
  pending(): number
  state(): QueueState
  /** Who waits is told `shutting_down`; nobody joins any more. */
  close(): void
}

interface Waiter {
  start(): void
  fail(error: AppError): void
  ahead(jobs: number): void
}

const firstGuessMs = 10_000

export function turns(options: TurnsOptions): Turns {
  let state = emptyQueue(options.slots, options.limit, options.open)
  const waiters = new Map<string, Waiter>()
  let closed = false
  /** Engine time of a job, newer ones weigh more. */
  let usualMs: number | undefined

  function step(event: QueueEvent): void {
    const [next, effects] = stepQueue(state, event)
    state = next
    for (const effect of effects) {
      const waiter = waiters.get(effect.id)
      if (effect.kind === 'start') waiter?.start()
      else if (effect.kind === 'ahead') waiter?.ahead(effect.ahead)
      else waiter?.fail(overloaded('The queue for this model is full'))
    }
  }

  function overloaded(what: string): AppError {
    const waves = Math.ceil((state.waiting.length + 1) / Math.max(1, state.slots))
    const retryAfterSecs = Math.max(1, Math.ceil((waves * (usualMs ?? firstGuessMs)) / 1000))
    return new AppError('overloaded', { message: `${what} (${state.waiting.length} jobs wait). Try again later.`, retryAfterSecs })
  }

  function late(): AppError {
    const waited = `waited ${Math.round(options.waitMs / 1000)} s for its turn, the longest it may`
    if (state.open) return overloaded(`The job ${waited}`)
    return new AppError('engine_unavailable', { message: `The job ${waited}: its engine is down.`, retryAfterSecs: 10 })
  }

  function wait(id: string, signal: AbortSignal, ahead: (jobs: number) => void, event: QueueEvent): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () =>
      fail(new AppError('client_closed_request', { message: 'The request was cancelled while it waited for its turn.' }))
    const timer = setTimeout(() => fail(late()), options.waitMs)
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      waiters.delete(id)
    }
    const fail = (error: AppError) => {
      settle()
      step({ kind: 'leave', id })
      reject(error)
    }
    waiters.set(id, {
      start: () => {
        settle()
        resolve()
      },
      fail,
      ahead,
    })
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else if (closed) fail(shuttingDown())
    else step(event)
    return promise
  }

  return {
    take(id, signal, ahead) {
      const turn = (event: QueueEvent): Turn => ({
        granted: wait(id, signal, ahead, event),
        made(ms) {
          if (ms !== undefined) usualMs = usualMs === undefined ? ms : usualMs * 0.7 + ms * 0.3
          step({ kind: 'made', id })
        },
        again: () => turn({ kind: 'back', id }),
        leave: () => step({ kind: 'leave', id }),
      })
      return turn({ kind: 'join', id })
    },
    engine: (open, slots) => step({ kind: 'engine', open, slots }),
    pending: () => state.waiting.length + state.running.length + state.finishing.length,
    state: () => state,
    close() {
      closed = true
      for (const waiter of [...waiters.values()]) waiter.fail(shuttingDown())
    },
  }
}

function shuttingDown(): AppError {
  return new AppError('shutting_down', { message: 'The server is shutting down; the job did not begin.' })
}
