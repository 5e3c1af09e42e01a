// The memory that files of strangers may take while they are fetched and wait to be decoded, all of them together. An address is a hundred bytes of a request and
// can be 50 MB here: a limit per file does not bound what many requests take.
import { totalmem } from 'node:os'
import { AppError } from '../../lib/errors.ts'

export interface Place {
  /** Aborts when the caller's does, and when this file has to give way. */
  readonly signal: AbortSignal
  /** So many bytes more are held. */
  take(bytes: number): void
  /** The refusal, once it had to give way. */
  refusal(): AppError | undefined
  /** Everything is given back. Idempotent. */
  leave(): void
}

/**
 * Places in a room of `most` bytes. Where they do not suffice, the largest file gives way (`overloaded`): it is not the small pictures that fill it, and who holds
 * much and is slow must not keep others out.
 */
export function roomOf(most: number): (param: string, signal: AbortSignal) => Place {
  const inside = new Map<AbortController, { bytes: number; param: string; refusal?: AppError }>()
  let total = 0
  const leave = (who: AbortController) => {
    total -= inside.get(who)?.bytes ?? 0
    inside.delete(who)
  }
  const makeWay = () => {
    const [who, what] = [...inside].reduce((largest, one) => (one[1].bytes > largest[1].bytes ? one : largest))
    leave(who)
    what.refusal = new AppError('overloaded', {
      param: what.param,
      message: `The file at ${what.param} was not read: too many large files are being read now. Try again, or with a smaller one.`,
    })
    who.abort(what.refusal)
  }
  return (param, signal) => {
    const me = new AbortController()
    const mine: { bytes: number; param: string; refusal?: AppError } = { bytes: 0, param }
    inside.set(me, mine)
    return {
      signal: AbortSignal.any([signal, me.signal]),
      take(bytes) {
        if (!inside.has(me)) return
        mine.bytes += bytes
        total += bytes
        while (total > most) makeWay()
      },
      refusal: () => mine.refusal,
      leave: () => leave(me),
    }
  }
}

/** Of this process: a quarter of what the machine, or its container, has; a gigabyte where that is little. */
const readingRoom = roomOf(Math.max(1e9, Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 4))

/** Runs `work` with a place in that room, and gives it back. Rejects as `work` does, or with `overloaded` naming `param` when it had to give way. */
export async function inReadingRoom<T>(param: string, signal: AbortSignal, work: (place: Place) => Promise<T>): Promise<T> {
  const place = readingRoom(param, signal)
  try {
    return await work(place)
  } catch (thrown) {
    throw place.refusal() ?? thrown
  } finally {
    place.leave()
  }
}
