// Frontends that share workers tell each other what they booked, so that each sees the whole load. What is lost on the way is repaired by snapshots;
// a frontend that is gone takes its bookings with it.
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { markTurn, type TurnEnd } from '../../lib/turn.ts'
import type { EventPlane, EventPublisher } from '../../transport/event-plane.ts'
import type { BookingEvent } from '../load/bookings.ts'
import { Peer } from './peer.ts'
import { decodeMessage, encodeMessage, type PoolEvent, type ReplicaMessage, sizeOf } from './wire.ts'

/** A pool of workers (router/pool.ts), as far as it matters here. */
export interface SharedPool {
  onBooking(listener: (event: BookingEvent) => void): () => void
  bookings(): BookingEvent[]
  applyRemote(frontendId: string, event: BookingEvent): void
  dropRemote(frontendId: string): void
}

export interface Replicas {
  /** Where the other frontends hear this one; told in its card (`events`). */
  readonly address: string
  /** Shares a pool under a name that is the same in all frontends (`model/pool`). The returned function ends it. */
  share(name: string, pool: SharedPool): () => void
  /** Another frontend came (or moved): its card's id and `events`. */
  join(id: string, address: string): void
  /** It is gone: what it booked is dropped. */
  leave(id: string): void
  /** Workers came that others may have booked on already. */
  renew(): void
  close(): void
}

export interface ReplicaOptions {
  plane: EventPlane
  /** This frontend's card id. */
  id: string
  /** How often it is said that we live and how far we are; also the least time between two snapshots. */
  beatMs?: number
}

/** Messages stay below what NATS takes. */
const mostBytes = 500_000

export async function createReplicas({ plane, id, beatMs = 1000 }: ReplicaOptions): Promise<Replicas> {
  const publisher = await plane.publisher(`frontend-${id}`)
  return new ReplicaSync(plane, publisher, id, beatMs)
}

class ReplicaSync implements Replicas, TurnEnd {
  marked = false
  private readonly plane: EventPlane
  private readonly publisher: EventPublisher
  private readonly id: string
  private readonly beatMs: number
  private readonly pools = new Map<string, SharedPool>()
  private readonly peers = new Map<string, { address: string; peer: Peer; listening: { close(): void } }>()
  private readonly beat: ReturnType<typeof setInterval>
  private pending: PoolEvent[] = []
  private seq = 0
  private againTimer: ReturnType<typeof setTimeout> | undefined
  private snapshotTimer: ReturnType<typeof setTimeout> | undefined
  private lastSnapshot = Number.NEGATIVE_INFINITY
  private readonly asked = new Set<string>()

  constructor(plane: EventPlane, publisher: EventPublisher, id: string, beatMs: number) {
    this.plane = plane
    this.publisher = publisher
    this.id = id
    this.beatMs = beatMs
    this.beat = setInterval(() => this.say({ kind: 'beat', from: id, nextSeq: this.seq }), beatMs)
    this.beat.unref()
  }

  get address(): string {
    return this.publisher.address
  }

  share(name: string, pool: SharedPool): () => void {
    this.pools.set(name, pool)
    const off = pool.onBooking((event) => {
      this.pending.push({ pool: name, event })
      markTurn(this)
    })
    this.renew()
    return () => {
      off()
      if (this.pools.get(name) === pool) this.pools.delete(name)
    }
  }

  join(id: string, address: string): void {
    if (id === this.id || this.peers.get(id)?.address === address) return
    this.leave(id)
    const peer = new Peer({
      apply: ({ pool, event }) => this.pools.get(pool)?.applyRemote(id, event),
      drop: () => this.drop(id),
      ask: () => this.ask(id),
    })
    const listening = this.plane.listen(address, {
      message: (bytes) => {
        const message = read(bytes, address)
        if (message?.from !== id) return
        if (message.kind === 'ask') {
          if (message.of === this.id) this.snapshotSoon()
        } else peer.message(message)
      },
      connected: () => peer.renew(),
    })
    this.peers.set(id, { address, peer, listening })
  }

  leave(id: string): void {
    const known = this.peers.get(id)
    if (known === undefined) return
    this.peers.delete(id)
    known.listening.close()
    this.drop(id)
  }

  renew(): void {
    for (const { peer } of this.peers.values()) peer.renew()
  }

  close(): void {
    clearInterval(this.beat)
    clearTimeout(this.snapshotTimer)
    clearTimeout(this.againTimer)
    for (const id of [...this.peers.keys()]) this.leave(id)
    this.publisher.close()
  }

  /** For markTurn. */
  turnEnd(): void {
    const events = this.pending
    this.pending = []
    if (this.peers.size === 0) {
      // Nobody is known to listen. Who does all the same sees by the beat that something is missing.
      if (events.length > 0) this.seq++
      return
    }
    for (const batch of cut(events)) this.say({ kind: 'events', from: this.id, seq: this.seq++, events: batch })
    for (const of of this.asked) this.say({ kind: 'ask', from: this.id, of })
    if (this.asked.size > 0) this.askAgainLater()
    this.asked.clear()
  }

  /** The one that was asked may not listen to us yet. */
  private askAgainLater(): void {
    this.againTimer ??= setTimeout(() => {
      this.againTimer = undefined
      for (const [id, { peer }] of this.peers) if (peer.waiting) this.ask(id)
    }, this.beatMs / 10)
    this.againTimer.unref()
  }

  private drop(id: string): void {
    for (const pool of this.pools.values()) pool.dropRemote(id)
  }

  /** Once a turn for each: a burst of messages that all show the same gap is one question. */
  private ask(id: string): void {
    this.asked.add(id)
    markTurn(this)
  }

  private snapshotSoon(): void {
    if (this.snapshotTimer !== undefined) return
    const wait = Math.max(0, this.lastSnapshot + this.beatMs / 4 - performance.now())
    this.snapshotTimer = setTimeout(() => this.snapshot(), wait)
    this.snapshotTimer.unref()
  }

  private snapshot(): void {
    this.snapshotTimer = undefined
    this.lastSnapshot = performance.now()
    this.turnEnd()
    const all = [...this.pools].flatMap(([pool, shared]) => shared.bookings().map((event) => ({ pool, event })))
    const batches = all.length === 0 ? [[]] : cut(all)
    batches.forEach((events, part) => {
      this.say({ kind: 'snapshot', from: this.id, nextSeq: this.seq, part, parts: batches.length, events })
    })
  }

  private say(message: ReplicaMessage): void {
    this.publisher.publish(encodeMessage(message))
  }
}

function read(bytes: Uint8Array, address: string): ReplicaMessage | undefined {
  try {
    return decodeMessage(bytes)
  } catch (thrown) {
    log.warn({ address, reason: toAppError(thrown).message }, 'an unreadable message of another frontend')
    return undefined
  }
}

function cut(events: PoolEvent[]): PoolEvent[][] {
  const batches: PoolEvent[][] = []
  let bytes = mostBytes
  for (const event of events) {
    bytes += sizeOf(event)
    if (bytes > mostBytes) {
      batches.push([])
      bytes = sizeOf(event)
    }
    batches.at(-1)!.push(event)
  }
  return batches
}
