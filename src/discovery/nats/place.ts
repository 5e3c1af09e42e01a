// Shows cards over NATS: says them to all, answers who asks, and says a heartbeat.
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { Card } from '../discovery.ts'
import type { CardPlace } from '../kept-card.ts'
import { askSubject, type NatsLink, type Said, saySubject } from './link.ts'

interface Shown {
  card: Card
  version: string
  readonly answering: Subscription
}

export function natsPlace(link: NatsLink): CardPlace {
  const shown = new Map<string, Shown>()
  let count = 0
  const keyOf = (card: Card): string => JSON.stringify([card.namespace, card.id])
  const said = ({ card, version }: Pick<Shown, 'card' | 'version'>): string => JSON.stringify({ card, version, count } satisfies Said)

  function answer(connection: NatsConnection, key: string, namespace: string): Subscription {
    return connection.subscribe(askSubject(namespace), {
      callback(_, question) {
        const entry = shown.get(key)
        const wanted = question.string()
        if (entry !== undefined && (wanted === '' || wanted === entry.card.id)) question.respond(said(entry))
      },
    })
  }

  return {
    name: link.name,
    async show(card) {
      const connection = await link.live()
      const key = keyOf(card)
      const version = newId().slice(0, 12)
      count++
      const message = said({ card, version })
      const bytes = Buffer.byteLength(message)
      const most = connection.info?.max_payload ?? Number.POSITIVE_INFINITY
      if (bytes > most)
        throw new AppError('invalid_value', {
          message: `The card ${card.id} has ${bytes} bytes; ${link.name} takes ${most}. Raise max_payload there.`,
        })
      const answering = shown.get(key)?.answering ?? answer(connection, key, card.namespace)
      shown.set(key, { card, version, answering })
      connection.publish(saySubject(card.namespace, 'card'), message)
      await link.flush(connection)
    },
    async beat(card) {
      const connection = await link.live()
      const entry = shown.get(keyOf(card))
      if (entry === undefined) return false
      connection.publish(saySubject(card.namespace, 'beat'), JSON.stringify({ id: card.id, version: entry.version, count: ++count }))
      return true
    },
    async hide(card) {
      const entry = shown.get(keyOf(card))
      shown.delete(keyOf(card))
      entry?.answering.unsubscribe()
      const connection = await link.live()
      connection.publish(saySubject(card.namespace, 'bye'), card.id)
      await link.flush(connection)
    },
  }
}
