// Which maker of a model takes the next job, and whether there is room for one.
import { AppError } from '../../lib/errors.ts'
import type { MediaMaker } from './media.ts'

/** The ready maker with the fewest jobs for each of its replicas, the earlier one of equals; undefined: none is ready. */
export function placeJob(makers: readonly MediaMaker[]): MediaMaker | undefined {
  let best: MediaMaker | undefined
  for (const maker of makers) {
    if (!maker.ready) continue
    if (best === undefined || load(maker) < load(best)) best = maker
  }
  return best
}

/** Jobs that makers can hold (those that run and those that wait), and how many they have. */
export interface Room {
  places: number
  taken: number
}

/** Of all `makers` together, also those that are not ready now: what waits there waits for them. */
export function roomOf(makers: readonly MediaMaker[]): Room {
  let [places, taken] = [0, 0]
  for (const maker of makers) {
    places += maker.info.replicas + (maker.info.queueLimit ?? Number.POSITIVE_INFINITY)
    taken += maker.pending()
  }
  return { places, taken }
}

/** For one more job of `model`. `unfinished`: jobs of our own, of which the newest are not with the makers yet. Throws `overloaded`. */
export function needRoom(room: Room | undefined, unfinished: number, model: string): void {
  if (room === undefined || Math.max(unfinished, room.taken) < room.places) return
  const message = `${room.places} jobs of '${model}' already wait or are being made, the limit. Try again when some are done.`
  throw new AppError('overloaded', { message, retryAfterSecs: 10 })
}

function load(maker: MediaMaker): number {
  return maker.pending() / Math.max(1, maker.info.replicas)
}
