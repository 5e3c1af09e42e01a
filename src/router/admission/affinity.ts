// Sessions and the rank each is bound to, so that a conversation finds its cache and state again.
import type { Slot } from '../members/slots.ts'

interface Bound {
  slot: Slot
  until: number
}

/** Beyond it the longest unused session is forgotten. */
const mostSessions = 1_000_000

export class Affinity {
  /** Least recently used first. */
  private readonly bound = new Map<string, Bound>()
  private readonly ttlMs: number

  constructor(ttlMs: number) {
    this.ttlMs = ttlMs
  }

  /** The session's slot while it lives and the binding holds. */
  find(session: string, now: number): Slot | undefined {
    const known = this.bound.get(session)
    return known?.slot.live === true && now < known.until ? known.slot : undefined
  }

  /** Binds it, or makes the binding last longer. */
  bind(session: string, slot: Slot, now: number): void {
    this.bound.delete(session)
    this.bound.set(session, { slot, until: now + this.ttlMs })
    for (const [oldest, { until }] of this.bound) {
      if (now < until && this.bound.size <= mostSessions) break
      this.bound.delete(oldest)
    }
  }

  /** The slot's worker is gone. */
  forget(slot: Slot): void {
    for (const [session, known] of this.bound) if (known.slot === slot) this.bound.delete(session)
  }

  get size(): number {
    return this.bound.size
  }
}
