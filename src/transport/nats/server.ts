// The request plane over NATS, answering side: a subject of its own for this worker, an answerer for each inbox that greets it.
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { Answerer } from '../plane/answerer.ts'
import { refusal } from '../plane/hello.ts'
import type { PlaneServer, PlaneService } from '../request-plane.ts'
import { NatsLink, over } from './link.ts'

export interface NatsServerOptions {
  /** What the worker's subject starts with. Default `dynamo-sglang`. */
  readonly prefix?: string | undefined
  /** Unique among all workers: a restarted one has a new name, or its callers would meet another engine. Default: a random one. */
  readonly name?: string | undefined
  readonly secret?: string | undefined
  /** Bytes of one stream that may wait for a client that does not read. Default 4 MiB. */
  readonly maxStreamBytes?: number | undefined
  /** The same for all streams of a client. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
}

interface Session {
  readonly link: NatsLink
  readonly answerer: Answerer
}

/** Resolves when the subject is listened to. `nats` stays the caller's. */
export async function natsServer(nats: NatsConnection, service: PlaneService, options: NatsServerOptions = {}): Promise<PlaneServer> {
  const { prefix = 'dynamo-sglang', name = crypto.randomUUID(), secret, maxStreamBytes, maxHeldBytes } = options
  const subject = `${prefix}.requests.${name.replaceAll(/[^A-Za-z0-9_-]/g, '-')}`
  const sessions = new Map<string, Session>()
  const greet = (inbox: string): Session => {
    const link = new NatsLink((payload) => nats.publish(inbox, payload), nats.info?.max_payload ?? 1 << 20, {
      data: (bytes) => answerer.channel.received(bytes),
      drained: () => answerer.channel.drained(),
      broken: (reason) => answerer.channel.lost(refusal(reason)),
    })
    const answerer = new Answerer(link, { service, instance: subject, secret, maxStreamBytes, maxHeldBytes }, (error) => {
      sessions.delete(inbox)
      log.debug({ inbox, reason: error.message }, 'request plane client left')
    })
    const session = { link, answerer }
    sessions.set(inbox, session)
    return session
  }
  const take = ({ reply, data }: Msg) => {
    if (reply === undefined || reply === '') return
    const session = sessions.get(reply)
    if (session !== undefined) session.link.take(data)
    else if (isFirst(data)) greet(reply).link.take(data)
    else if (data.length > 0) nats.publish(reply, over)
  }
  const listening = nats.subscribe(subject, {
    callback: (error, message) =>
      error === null ? take(message) : log.error({ subject, reason: error.message }, 'NATS refuses the subject'),
  })
  // Away just now: the subscription is made again with the connection.
  await nats.flush().catch((error) => log.warn({ reason: (error as Error).message }, 'NATS is away'))
  return {
    address: `nats://${subject}`,
    async close() {
      listening.unsubscribe()
      const stopping = new AppError('shutting_down', { message: 'The worker is shutting down.', retryAfterSecs: 1 })
      for (const { answerer } of [...sessions.values()]) answerer.close(stopping)
      await nats.flush().catch(() => {})
    },
  }
}

/** Message number 0: only a peer that begins sends it. */
function isFirst(data: Uint8Array): boolean {
  return data.length > 8 && data[0] === 0 && data[1] === 0 && data[2] === 0 && data[3] === 0
}
