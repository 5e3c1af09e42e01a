// One other frontend as seen from here: its bookings in order, and when something is missing, the wish for a snapshot. A pure machine.
import type { PoolEvent, ReplicaMessage } from './wire.ts'

export interface PeerEffects {
  apply(event: PoolEvent): void
  /** Forget all of its bookings. */
  drop(): void
  /** Ask it for a snapshot; asked again with each message that shows that it is still missing. */
  ask(): void
}

export class Peer {
  private readonly effects: PeerEffects
  /** Number of its next `events`; undefined: unknown until a snapshot. */
  private expected: number | undefined
  /** Parts of the snapshot that is arriving. */
  private parts: PoolEvent[][] = []

  constructor(effects: PeerEffects) {
    this.effects = effects
  }

  /** A snapshot is missing. */
  get waiting(): boolean {
    return this.expected === undefined
  }

  message(message: ReplicaMessage): void {
    if (message.kind === 'beat') {
      if (message.nextSeq !== this.expected) this.effects.ask()
    } else if (message.kind === 'events') {
      if (message.seq === this.expected) {
        this.expected++
        for (const event of message.events) this.effects.apply(event)
      } else if (this.expected === undefined || message.seq > this.expected) {
        // What comes before the snapshot is in it; what comes behind it follows its number.
        this.expected = undefined
        this.effects.ask()
      }
    } else if (message.kind === 'snapshot') this.snapshot(message)
  }

  /** Here is something new that its bookings may belong to. */
  renew(): void {
    this.expected = undefined
    this.effects.ask()
  }

  private snapshot({ nextSeq, part, parts, events }: ReplicaMessage & { kind: 'snapshot' }): void {
    // Others asked for it; what is known here is as good.
    if (nextSeq === this.expected) return
    if (part === 0) this.parts = []
    if (part !== this.parts.length) return
    this.parts.push(events)
    if (this.parts.length < parts) return
    this.effects.drop()
    for (const list of this.parts) for (const event of list) this.effects.apply(event)
    this.parts = []
    this.expected = nextSeq
  }
}
