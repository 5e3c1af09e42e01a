// Events over NATS core: a subject for each publisher. While the server is away messages are dropped, not kept: whoever needs them all counts them.
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { log } from '../lib/log.ts'
import type { EventPlane } from './event-plane.ts'

const scheme = 'nats://'

/** Subjects are `<prefix>.events.<name>.<random>`. The connection stays the caller's: `close` ends only what was made here. */
export function natsEvents(connection: NatsConnection, prefix = 'dynamo-sglang'): EventPlane {
  const subscriptions = new Set<Subscription>()
  const backAgain = new Set<() => void>()
  let up = true
  let closed = false
  const status = connection.status()

  async function watch(): Promise<void> {
    for await (const change of status) {
      if (closed) return
      if (change.type === 'disconnect') up = false
      else if (change.type === 'reconnect') {
        up = true
        for (const tell of backAgain) tell()
      }
    }
  }
  void watch()

  return {
    async publisher(name) {
      const subject = `${prefix}.events.${name.replaceAll(/[^A-Za-z0-9_-]/g, '-')}.${crypto.randomUUID()}`
      return {
        address: scheme + subject,
        publish(message) {
          // The client writes later: the bytes must stay as they are.
          if (up && !closed && !connection.isClosed()) connection.publish(subject, message.slice())
        },
        close() {},
      }
    },
    listen(address, listener) {
      const subscription = connection.subscribe(address.slice(scheme.length), {
        callback(error, message) {
          if (error) log.warn({ address, reason: error.message }, 'a NATS subscription failed')
          else listener.message(message.data)
        },
      })
      subscriptions.add(subscription)
      let listening = true
      const connected = () => {
        if (listening) listener.connected?.()
      }
      backAgain.add(connected)
      // The server has the subscription when it answers what was sent behind it.
      connection.flush().then(connected, (thrown: unknown) => log.debug({ address, reason: String(thrown) }, 'NATS is away'))
      return {
        close() {
          listening = false
          backAgain.delete(connected)
          subscriptions.delete(subscription)
          subscription.unsubscribe()
        },
      }
    },
    async close() {
      closed = true
      for (const subscription of subscriptions) subscription.unsubscribe()
      subscriptions.clear()
      backAgain.clear()
    },
  }
}
