// What other frontends booked on the workers that this pool shares with them, so that all count the same load.
import type { HashPairs } from '../../lib/block-hash.ts'
import type { Members } from '../members/members.ts'
import type { Booking, Slot } from '../members/slots.ts'
import { type BookingEvent, book, endPrefill, free } from './bookings.ts'

export class RemoteBookings {
  private readonly byFrontend = new Map<string, Map<number, Booking>>()
  private readonly members: Members
  private readonly placed: (slot: Slot, chain: HashPairs) => void

  /** `placed` hears of every prompt that another frontend sent to a slot. */
  constructor(members: Members, placed: (slot: Slot, chain: HashPairs) => void) {
    this.members = members
    this.placed = placed
  }

  /** Events of one frontend in their order. An `add` for a worker that is not known here, or that was told before, is left out. */
  apply(frontendId: string, event: BookingEvent): void {
    let known = this.byFrontend.get(frontendId)
    if (event.kind === 'add') {
      const slot = this.members.slot(event.workerId, event.rank)
      if (slot === undefined || known?.get(event.key)?.over === false) return
      if (known === undefined) {
        known = new Map()
        this.byFrontend.set(frontendId, known)
      }
      known.set(event.key, book(slot, { ...event, remote: true }))
      this.placed(slot, event.chain)
      return
    }
    const booking = known?.get(event.key)
    if (booking === undefined) return
    if (event.kind === 'started') endPrefill(booking)
    else {
      known!.delete(event.key)
      free(booking)
    }
  }

  /** The frontend is gone, or will tell everything anew. */
  drop(frontendId: string): void {
    const known = this.byFrontend.get(frontendId)
    if (known === undefined) return
    this.byFrontend.delete(frontendId)
    for (const booking of known.values()) free(booking)
  }
}
