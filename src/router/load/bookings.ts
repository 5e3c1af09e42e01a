// What a placed request takes from its slot until it is over: prompt tokens until its first token, blocks and its place among the requests until its end.
import type { HashPairs } from '../../lib/block-hash.ts'
import type { Booking, Slot } from '../members/slots.ts'

/** What other frontends need to know to count the same (replica sync). `key` is unique within one pool of one frontend. */
export type BookingEvent =
  | {
      readonly kind: 'add'
      readonly key: number
      readonly workerId: string
      readonly rank: number
      /** 0 once the prompt is computed. */
      readonly prefillTokens: number
      /** Blocks that are shared with nobody. */
      readonly ownBlocks: number
      /** Chained hashes of the blocks that are counted once for all who hold them; may be empty. */
      readonly chain: HashPairs
    }
  | { readonly kind: 'started' | 'free'; readonly key: number }

export interface BookingParts {
  readonly key: number
  readonly prefillTokens: number
  readonly ownBlocks: number
  readonly chain: HashPairs
  /** Another frontend's. */
  readonly remote?: boolean
}

/** Books it all on the slot. The chain is kept. */
export function book(slot: Slot, { key, prefillTokens, ownBlocks, chain, remote = false }: BookingParts): Booking {
  const { active } = slot.group
  const node = active.add(slot.number, chain)
  slot.blocks += active.changed + ownBlocks
  slot.prefillTokens += prefillTokens
  slot.requests++
  const booking: Booking = { slot, key, ownBlocks, chain, node, remote, prefillTokens, over: false }
  slot.bookings.add(booking)
  return booking
}

/** The prompt is computed. False when that was known, or the booking is over. */
export function endPrefill(booking: Booking): boolean {
  if (booking.over || booking.prefillTokens === 0) return false
  booking.slot.prefillTokens -= booking.prefillTokens
  booking.prefillTokens = 0
  return true
}

/** Gives everything back. False when that was done before, be it because the worker is gone. */
export function free(booking: Booking): boolean {
  if (booking.over) return false
  endPrefill(booking)
  booking.over = true
  const { slot } = booking
  slot.blocks -= booking.ownBlocks
  slot.requests--
  slot.bookings.delete(booking)
  if (booking.node !== undefined) {
    slot.group.active.remove(slot.number, booking.node)
    slot.blocks -= slot.group.active.changed
  }
  return true
}

/** The booking as it stands, for a frontend that knows nothing of it. */
export function bookingEvent({ key, slot, prefillTokens, ownBlocks, chain }: Booking): BookingEvent {
  return { kind: 'add', key, workerId: slot.workerId, rank: slot.rank, prefillTokens, ownBlocks, chain }
}
