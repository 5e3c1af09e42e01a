// The queue's loop: requests wait here as promises until there is room, their deadline comes or their client leaves.
import { AppError, clientGone, toAppError } from '../../lib/errors.ts'
import { markTurn } from '../../lib/turn.ts'
import type { Clock } from '../clock.ts'
import type { Lease, Placement } from '../router.ts'
import { enqueue, expire, nextDeadline, type Waiting } from './queue.ts'

interface Entry extends Waiting {
  readonly placement: Placement
  readonly signal: AbortSignal
  leave(): void
  resolve(lease: Lease): void
  reject(error: AppError): void
}

export interface RoomParts {
  readonly clock: Clock
  readonly limit: number
  readonly deadlineMs: number
  readonly overloadStatus: number
  /** Undefined while there is no room; throws what the request shall fail with. */
  attempt(placement: Placement): Lease | undefined
}

export class WaitingRoom {
  /** For lib/turn.ts. */
  marked = false
  private readonly queue: Entry[] = []
  private readonly parts: RoomParts
  private arrivals = 0
  private stopTimer: (() => void) | undefined

  constructor(parts: RoomParts) {
    this.parts = parts
  }

  get size(): number {
    return this.queue.length
  }

  /** Waits for room. Rejects with `overloaded` when too many wait or it takes too long, and with `client_closed_request` after an abort. */
  enter(placement: Placement, weight: number, signal: AbortSignal): Promise<Lease> {
    const { clock, limit, deadlineMs, overloadStatus } = this.parts
    if (this.queue.length >= limit)
      throw new AppError('overloaded', {
        message: limit === 0 ? 'Every worker is at its limit.' : `Every worker is at its limit, and ${limit} requests wait already.`,
        status: overloadStatus,
        retryAfterSecs: 1,
      })
    return new Promise<Lease>((resolve, reject) => {
      const entry: Entry = {
        placement,
        signal,
        priority: placement.priority ?? 0,
        weight,
        arrival: this.arrivals++,
        deadline: clock.now() + deadlineMs,
        leave: () => {
          this.queue.splice(this.queue.indexOf(entry), 1)
          this.keepTimer()
          reject(clientGone())
        },
        resolve,
        reject,
      }
      signal.addEventListener('abort', entry.leave, { once: true })
      enqueue(this.queue, entry)
      this.keepTimer()
      markTurn(this)
    })
  }

  /** Something changed: there may be room. */
  wake(): void {
    if (this.queue.length > 0) markTurn(this)
  }

  /** Places whom it can, in order. */
  turnEnd(): void {
    const { queue } = this
    for (let i = 0; i < queue.length; ) {
      const entry = queue[i]!
      let settle: (() => void) | undefined
      try {
        const lease = this.parts.attempt(entry.placement)
        if (lease !== undefined) settle = () => entry.resolve(lease)
      } catch (error) {
        settle = () => entry.reject(toAppError(error))
      }
      if (settle !== undefined) {
        queue.splice(i, 1)
        entry.signal.removeEventListener('abort', entry.leave)
        settle()
      } else if (isPicky(entry.placement)) i++
      // Where there is no room for this one, there is none for the next either.
      else break
    }
    this.keepTimer()
  }

  /** Ends every wait with this error. */
  close(error: AppError): void {
    for (const entry of this.queue.splice(0)) {
      entry.signal.removeEventListener('abort', entry.leave)
      entry.reject(error)
    }
    this.keepTimer()
  }

  private keepTimer(): void {
    this.stopTimer?.()
    this.stopTimer = undefined
    if (this.queue.length === 0) return
    const { clock } = this.parts
    this.stopTimer = clock.after(Math.max(0, nextDeadline(this.queue) - clock.now()), () => this.expire())
  }

  private expire(): void {
    this.stopTimer = undefined
    for (const entry of expire(this.queue, this.parts.clock.now())) {
      entry.signal.removeEventListener('abort', entry.leave)
      entry.reject(
        new AppError('overloaded', {
          message: `No worker had room within ${this.parts.deadlineMs / 1000} s.`,
          status: this.parts.overloadStatus,
          retryAfterSecs: 1,
        }),
      )
    }
    this.keepTimer()
  }
}

/** True when others may have room where this one has none. */
function isPicky({ workerId, dpRank, sessionId, avoid }: Placement): boolean {
  return workerId !== undefined || dpRank !== undefined || sessionId !== undefined || avoid !== undefined
}
