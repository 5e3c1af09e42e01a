// Who may use the engine next, decided without time or promises: first come, first served, so many at a time. turns.ts acts on it.

export interface QueueState {
  /** Jobs inside the engine at a time: its replicas. */
  readonly slots: number
  /** Jobs that may wait. */
  readonly limit: number
  /** False while the engine restarts: who waits goes on waiting. */
  readonly open: boolean
  /** In order of arrival. */
  readonly waiting: readonly string[]
  /** Inside the engine. */
  readonly running: readonly string[]
  /** Done with the engine, still being encoded: their frames take memory, so there are at most twice `slots`. */
  readonly finishing: readonly string[]
}

export type QueueEvent =
  | { kind: 'join'; id: string }
  /** The engine is done with it: the next may begin while this one is encoded. */
  | { kind: 'made'; id: string }
  /** The engine was not there for it: back to the front. */
  | { kind: 'back'; id: string }
  /** Finished, failed or given up. */
  | { kind: 'leave'; id: string }
  | { kind: 'engine'; open: boolean; slots: number }

export type QueueEffect =
  | { kind: 'start'; id: string }
  /** There is no room; it has not joined. */
  | { kind: 'refuse'; id: string }
  /** It waits with so many before it; told when it joins and when that changes. */
  | { kind: 'ahead'; id: string; ahead: number }

export function emptyQueue(slots: number, limit: number, open: boolean): QueueState {
  return { slots, limit, open, waiting: [], running: [], finishing: [] }
}

/** The next state and what is to be done about it. An id that is not there is no error: its job ended another way. */
export function stepQueue(state: QueueState, event: QueueEvent): [QueueState, QueueEffect[]] {
  const without = (ids: readonly string[], id: string) => (ids.includes(id) ? ids.filter((other) => other !== id) : ids)
  switch (event.kind) {
    case 'join': {
      const joined = startNext({ ...state, waiting: [...state.waiting, event.id] }, state.waiting)
      // Full only for who would have to wait.
      return joined[0].waiting.length > state.limit ? [state, [{ kind: 'refuse', id: event.id }]] : joined
    }
    case 'made': {
      if (!state.running.includes(event.id)) return [state, []]
      return startNext({ ...state, running: without(state.running, event.id), finishing: [...state.finishing, event.id] }, state.waiting)
    }
    case 'back': {
      if (!state.running.includes(event.id)) return [state, []]
      const waiting = [event.id, ...state.waiting]
      return startNext({ ...state, open: false, running: without(state.running, event.id), waiting }, state.waiting)
    }
    case 'leave': {
      const { id } = event
      const left = { waiting: without(state.waiting, id), running: without(state.running, id), finishing: without(state.finishing, id) }
      return startNext({ ...state, ...left }, state.waiting)
    }
    case 'engine':
      return startNext({ ...state, open: event.open, slots: event.slots }, state.waiting)
  }
}

/** `before`: who waited before the event; whoever stands elsewhere now is told. */
function startNext(state: QueueState, before: readonly string[]): [QueueState, QueueEffect[]] {
  const { slots, open, finishing } = state
  const waiting = [...state.waiting]
  const running = [...state.running]
  const effects: QueueEffect[] = []
  while (open && waiting.length > 0 && running.length < slots && finishing.length < 2 * slots) {
    const id = waiting.shift()!
    running.push(id)
    effects.push({ kind: 'start', id })
  }
  for (const [ahead, id] of waiting.entries()) if (before[ahead] !== id) effects.push({ kind: 'ahead', id, ahead })
  return [{ ...state, waiting, running }, effects]
}
