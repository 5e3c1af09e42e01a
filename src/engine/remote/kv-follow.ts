// The frontend's side of the event plane: follows one worker, asks for dumps where its messages leave a gap, and tells engine events.
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { EventPlane } from '../../transport/event-plane.ts'
import type { EngineEvent } from '../types.ts'
import { KvOrder } from './kv-order.ts'
import { decodeDump, decodeMessage } from './kv-wire.ts'

export interface RemoteEvents {
  /** Tells `kv` and `load`: for each rank `cleared` and what it holds now, then what changes. Listeners share one connection; a new one has all told anew. */
  subscribe(listener: (event: EngineEvent) => void): { close(): void }
}

export interface RemoteEventsOptions {
  plane: Pick<EventPlane, 'listen'>
  /** The worker's event publisher, from its card. */
  address: string
  /** Its DP size. */
  ranks: number
  /** False: it tells no KV events, so none are asked for. */
  kv: boolean
  /** Answers `kv.dump {rank}` (kv-publish.ts) over the request plane. */
  dump(rank: number): Promise<Uint8Array>
  /** Waits between attempts to get a dump: the first, doubled up to the last. */
  retryMs?: { first: number; last: number }
}

export function remoteEvents({ plane, address, ranks, kv, dump, retryMs = { first: 50, last: 2000 } }: RemoteEventsOptions): RemoteEvents {
  const listeners = new Set<(event: EngineEvent) => void>()
  let following: { order: KvOrder; close(): void } | undefined

  function follow() {
    let closed = false
    const tell = (event: EngineEvent) => {
      for (const listener of listeners) {
        try {
          listener(event)
        } catch (thrown) {
          log.error({ address, err: thrown }, "a listener of a worker's events threw")
        }
      }
    }
    const order = new KvOrder(ranks, { tell, ask: (rank) => kv && void fetchDump(rank) })

    /** Until it came: a worker that cannot answer is either coming back or about to leave discovery. */
    async function fetchDump(rank: number): Promise<void> {
      for (let wait = retryMs.first; !closed; wait = Math.min(2 * wait, retryMs.last)) {
        try {
          const answer = decodeDump(await dump(rank))
          if (answer.rank !== rank) throw new AppError('internal_error', { message: `asked for rank ${rank}, got rank ${answer.rank}` })
          if (!closed) order.dumped(answer)
          return
        } catch (thrown) {
          log.debug({ address, rank, reason: toAppError(thrown).message }, 'no dump of KV blocks yet')
        }
        await Bun.sleep(wait)
      }
    }

    const listening = plane.listen(address, {
      message(bytes) {
        let message: ReturnType<typeof decodeMessage>
        try {
          message = decodeMessage(bytes)
        } catch (thrown) {
          // As good as lost: its number is missed and a dump repairs it.
          log.warn({ address, reason: toAppError(thrown).message }, 'an unreadable message on the event plane')
          return
        }
        if (message !== undefined) order.message(message)
      },
    })
    return {
      order,
      close() {
        closed = true
        listening.close()
      },
    }
  }

  return {
    subscribe(listener) {
      listeners.add(listener)
      following ??= follow()
      following.order.start()
      return {
        close() {
          if (!listeners.delete(listener) || listeners.size > 0) return
          following?.close()
          following = undefined
        },
      }
    },
  }
}
