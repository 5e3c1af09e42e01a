// The request plane over NATS, calling side: each connection to a worker is an inbox of its own, so that nothing of an earlier one can mix in.
import type { NatsConnection } from '@nats-io/transport-node'
import { AppError } from '../../lib/errors.ts'
import { Caller, type DialEvents } from '../plane/caller.ts'
import { refusal } from '../plane/hello.ts'
import type { PlaneClient } from '../request-plane.ts'
import { NatsLink } from './link.ts'

export interface NatsClientOptions {
  /** The same as the worker's, or absent on both sides. */
  readonly secret?: string | undefined
  /** Bytes that may wait for a worker that does not read. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
}

/** Greets `nats://subject` at once and again until closed. `nats` stays the caller's. Throws AppError `invalid_value` on another address. */
export function natsClient(nats: NatsConnection, address: string, options: NatsClientOptions = {}): PlaneClient {
  const subject = address.startsWith('nats://') ? address.slice('nats://'.length) : ''
  if (!/^[^\s*>]+$/.test(subject)) throw new AppError('invalid_value', { message: `'${address}' is no worker address on NATS` })
  const { secret, maxHeldBytes } = options
  return new Caller({ address, instance: subject, secret, maxHeldBytes }, (events) => dial(nats, subject, events))
}

let inboxes = 0
const ownName = crypto.randomUUID().slice(0, 13)

function dial(nats: NatsConnection, subject: string, events: DialEvents): () => void {
  const inbox = `_INBOX.${ownName}.${++inboxes}`
  let leave = () => {}
  const gone = (reason: string) => {
    leave()
    events.gone(refusal(reason))
  }
  const link = new NatsLink((payload) => nats.publish(subject, payload, { reply: inbox }), nats.info?.max_payload ?? 1 << 20, {
    data: events.data,
    drained: events.drained,
    broken: gone,
  })
  try {
    const listening = nats.subscribe(inbox, {
      callback: (error, message) => (error === null ? link.take(message.data) : gone(error.message)),
    })
    leave = () => listening.unsubscribe()
  } catch (error) {
    // Not within the caller's own call.
    queueMicrotask(() => gone((error as Error).message))
    return () => {}
  }
  events.open({
    write: (bytes) => link.write(bytes),
    end() {
      link.end()
      leave()
    },
    terminate() {
      link.terminate()
      leave()
    },
  })
  return leave
}
