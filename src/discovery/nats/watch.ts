// Watches the cards of a namespace over NATS: hears what processes say, asks for what it missed, and judges silence only while its own messages
// come back to it: a server that stands still silences nobody.
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { log } from '../../lib/log.ts'
import { Bell } from '../bell.ts'
import type { CardChange } from '../discovery.ts'
import { beatMs } from '../kept-card.ts'
import { readCard } from '../kept-discovery.ts'
import { lookMs, Roster } from '../roster.ts'
import { askSubject, type Beat, type NatsLink, type Said, saySubject } from './link.ts'

/** Whoever lives was heard in this time, answer or heartbeat. */
const gatherMs = beatMs * 1.25
/** An unanswered question for a card is asked again after so long. */
const askAgainMs = 1000
const noResponders = 503

/** Resolves when everyone had the time to be heard. Goes on until the signal. */
export async function watchNats(
  link: NatsLink,
  namespace: string,
  listener: (change: CardChange) => void,
  signal: AbortSignal,
): Promise<void> {
  const roster = new Roster(listener)
  const versions = new Map<string, string>()
  const asked = new Map<string, number>()
  const gathered = new Bell()
  const connection: NatsConnection = await link.connection()
  const inbox = `${saySubject(namespace, 'inbox')}.${crypto.randomUUID()}`

  function ask(id = ''): void {
    const now = performance.now()
    if (id !== '' && now - (asked.get(id) ?? Number.NEGATIVE_INFINITY) < askAgainMs) return
    if (id !== '') asked.set(id, now)
    connection.publish(askSubject(namespace), id, { reply: inbox })
  }
  function heard({ card, version, count }: Said): void {
    const read = readCard(card)
    if (read === undefined || read.namespace !== namespace) {
      log.warn({ subject: saySubject(namespace, 'card') }, 'a message of discovery over NATS is no card; it is skipped')
      return
    }
    versions.set(read.id, version)
    asked.delete(read.id)
    roster.seen(read, `${version} ${count}`)
  }
  function beat({ id, version, count }: Beat): void {
    if (versions.get(id) !== version || !roster.beat(id, `${version} ${count}`)) ask(id)
  }
  function bye(id: string): void {
    versions.delete(id)
    roster.removed(id)
  }
  const words: Record<string, (message: Msg) => void> = {
    card: (message) => heard(message.json()),
    beat: (message) => beat(message.json()),
    bye: (message) => bye(message.string()),
  }
  const hear = (error: Error | null, message: Msg) => take(message.subject.slice(message.subject.lastIndexOf('.') + 1), error, message)
  function take(word: string, error: Error | null, message: Msg): void {
    try {
      if (error !== null) throw error
      words[word]?.(message)
    } catch (failure) {
      log.warn({ namespace, reason: (failure as Error).message }, 'a message of discovery over NATS is skipped')
    }
  }
  function answered(_: Error | null, message: Msg): void {
    if (message.headers?.code === noResponders) gathered.ring()
    else if (message.data.length > 0) take('card', null, message)
    else pulse()
  }
  /** Our own empty message came back: what others sent before it was heard. */
  function pulse(): void {
    roster.look(performance.now())
    for (const card of roster.silent()) roster.lost(card.id)
    for (const id of roster.forgotten(60_000)) bye(id)
  }

  const subscriptions = [
    connection.subscribe(saySubject(namespace, '*'), { callback: hear }),
    connection.subscribe(inbox, { callback: answered }),
  ]
  const forget = link.onReturn(() => {
    roster.forgive()
    ask()
  })
  const timer = setInterval(() => {
    if (link.up) connection.publish(inbox)
  }, lookMs)
  const stop = () => {
    roster.end()
    clearInterval(timer)
    forget()
    if (!connection.isClosed()) for (const subscription of subscriptions) subscription.unsubscribe()
  }
  signal.addEventListener('abort', stop)
  if (signal.aborted) return stop()
  ask()
  await gathered.wait(gatherMs, signal)
}
