// A worker whose engine fails again and again is left alone for a while, then tried with one request. A pure step.

export type Breaker =
  | { readonly kind: 'closed'; readonly failures: number }
  /** Takes nothing until `until` (ms). */
  | { readonly kind: 'open'; readonly until: number }
  /** One request is on its way; its end decides. */
  | { readonly kind: 'trying' }

export type BreakerEvent =
  /** The engine answered. */
  | 'success'
  /** The engine failed a request. */
  | 'failure'
  /** A request was placed. */
  | 'placed'
  /** A request ended without saying anything about the engine: its client left. */
  | 'unknown'
  /** The engine says that it is ready (again). */
  | 'ready'

export interface BreakerLimits {
  /** Failures in a row that open it; 0: never. */
  readonly failures: number
  readonly openMs: number
}

export const closedBreaker: Breaker = { kind: 'closed', failures: 0 }

/** The breaker after `event`; the same object when nothing changed. Times in ms of any steady clock. */
export function stepBreaker(breaker: Breaker, event: BreakerEvent, now: number, limits: BreakerLimits): Breaker {
  switch (event) {
    case 'success':
      return breaker.kind === 'closed' && breaker.failures === 0 ? breaker : closedBreaker
    case 'failure':
      if (limits.failures === 0) return breaker
      // Requests that were under way when it opened say nothing new.
      if (breaker.kind === 'open') return breaker
      if (breaker.kind === 'closed' && breaker.failures + 1 < limits.failures) return { kind: 'closed', failures: breaker.failures + 1 }
      return { kind: 'open', until: now + limits.openMs }
    case 'placed':
      return breaker.kind === 'open' ? { kind: 'trying' } : breaker
    case 'unknown':
      return breaker.kind === 'trying' ? { kind: 'open', until: now } : breaker
    case 'ready':
      return breaker.kind === 'open' ? { kind: 'open', until: now } : breaker
  }
}

/** True while requests should rather go elsewhere. */
export function blocks(breaker: Breaker, now: number): boolean {
  return breaker.kind === 'trying' || (breaker.kind === 'open' && now < breaker.until)
}
