// Watches the cards of a namespace in etcd. Changes come by etcd's watch; whether a process lives is asked from its lease, several times a second:
// one that was not renewed for a second and a half is dead, long before the lease ends.
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { Bell } from '../bell.ts'
import type { Card, CardChange } from '../discovery.ts'
import { readCard } from '../kept-discovery.ts'
import { Roster } from '../roster.ts'
import { base64, type EtcdClient, fromBase64, type KeyValue, type WatchMessage } from './client.ts'
import { prefixOf } from './place.ts'

const askMs = 300
/** A lease that misses a whole second is suspect; after so long again its process is dead. */
const suspectMs = 500
const askSuspectMs = 250
/** After etcd was away everyone has so long to show itself. */
const graceMs = 2000
const retryMs = 250
/** How often the keys are compared with what the watch told. */
const compareMs = 5000
const atOnce = 16

interface Known {
  readonly card: Card
  readonly lease: string
  readonly revision: string
  suspectSince: number | undefined
  /** Missing in a list after etcd was away. */
  missing: boolean
}

/** Resolves when the cards that exist were told, rejects with AppError `invalid_setting` for a wrong user. Goes on until the signal. */
export async function watchEtcd(
  client: EtcdClient,
  namespace: string,
  listener: (change: CardChange) => void,
  signal: AbortSignal,
): Promise<void> {
  const prefix = prefixOf(namespace)
  const range = { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}0`) } // '0' follows '/'
  const roster = new Roster(listener)
  const known = new Map<string, Known>()
  const told = Promise.withResolvers<void>()
  let graceUntil = 0
  let away = false

  function put(kv: KeyValue): Known | undefined {
    const card = parse(kv)
    if (card === undefined || card.namespace !== namespace) {
      log.warn({ key: fromBase64(kv.key) }, 'a key of discovery in etcd is no card; it is skipped')
      return undefined
    }
    const entry = { card, lease: kv.lease ?? '0', revision: kv.mod_revision, suspectSince: undefined, missing: false }
    known.set(kv.key, entry)
    return entry
  }
  function remove(key: string): void {
    const entry = known.get(key)
    known.delete(key)
    if (entry !== undefined) roster.removed(entry.card.id)
  }

  function failed(error: unknown): void {
    if (!away && !signal.aborted) log.warn({ reason: (error as Error).message }, 'etcd is away; what is known of other processes stays')
    away = true
  }
  function answered(): void {
    if (away) {
      log.info({ etcd: client.name }, 'etcd is back')
      graceUntil = performance.now() + graceMs
      for (const entry of known.values()) entry.suspectSince = undefined
    }
    away = false
  }

  /** One lease. What it says decides; that etcd does not answer says nothing. */
  async function ask(key: string): Promise<void> {
    const entry = known.get(key)
    if (entry === undefined) return
    const unleased = entry.missing || entry.lease === '0'
    const left = unleased ? {} : await client.call<{ TTL?: string; grantedTTL?: string }>('/v3/lease/timetolive', { ID: entry.lease })
    // Changed meanwhile: what was asked is about another lease.
    if (signal.aborted || known.get(key) !== entry) return
    if (!unleased) answered()
    const [remaining, granted] = [Number(left.TTL ?? 0), Number(left.grantedTTL ?? 0)]
    if (granted > 0 && remaining >= granted - 1) {
      entry.suspectSince = undefined
      roster.seen(entry.card)
      return
    }
    const now = performance.now()
    entry.suspectSince ??= now
    if (now < graceUntil || now - entry.suspectSince < suspectMs) return
    if (entry.missing) remove(key)
    else roster.lost(entry.card.id)
  }
  async function askAll(keys: readonly string[]): Promise<void> {
    for (let i = 0; i < keys.length; i += atOnce) await Promise.all(keys.slice(i, i + atOnce).map(ask))
  }

  /** Returns the revision that the list is of. */
  async function list(): Promise<string> {
    const found = await client.call<{ header: { revision: string }; kvs?: KeyValue[] }>('/v3/kv/range', range)
    answered()
    const present = new Map((found.kvs ?? []).map((kv) => [kv.key, kv]))
    for (const [key, entry] of known) if (!present.has(key)) entry.missing = true
    const fresh: string[] = []
    for (const [key, kv] of present) {
      const before = known.get(key)
      if (before?.revision === kv.mod_revision && !before.missing) continue
      // A card that was here before is told at once, an unknown one after its lease was asked: it may be a dead process's.
      if (put(kv) !== undefined) fresh.push(key)
    }
    await askAll(fresh)
    return found.header.revision
  }

  /** The first list settles `told`; then follows changes until the stream breaks, and starts again. */
  async function follow(): Promise<void> {
    const bell = new Bell()
    while (!signal.aborted) {
      try {
        const revision = await list()
        told.resolve()
        const request = { create_request: { ...range, start_revision: String(BigInt(revision) + 1n) } }
        await client.stream<WatchMessage>('/v3/watch', request, signal, (message) => {
          // Compacted away, or ended by etcd: the list says it all.
          if (message.canceled === true) throw new Error('etcd ended the watch')
          for (const { type, kv } of message.events ?? []) {
            if (type === 'DELETE') remove(kv.key)
            else {
              const entry = put(kv)
              if (entry !== undefined) roster.seen(entry.card)
            }
          }
        })
      } catch (error) {
        failed(error)
        if (error instanceof AppError) told.reject(error)
      }
      await bell.wait(retryMs, signal)
    }
  }

  /** A watch that silently stands still (a proxy, a half-open connection) shows here; ending it makes a new list. */
  async function compare(): Promise<void> {
    const found = await client.call<{ kvs?: KeyValue[] }>('/v3/kv/range', { ...range, keys_only: true })
    const revisions = new Map((found.kvs ?? []).map((kv) => [kv.key, kv.mod_revision]))
    const behind = [...revisions].some(([key, revision]) => BigInt(known.get(key)?.revision ?? 0) < BigInt(revision))
    const extra = [...known].some(([key, entry]) => !entry.missing && !revisions.has(key))
    if (behind || extra) await list()
  }

  async function askForEver(): Promise<void> {
    const bell = new Bell()
    for (let compared = performance.now(); !signal.aborted; ) {
      const suspects = [...known].some(([, entry]) => entry.suspectSince !== undefined)
      await bell.wait(suspects ? askSuspectMs : askMs, signal)
      try {
        await askAll([...known.keys()])
        if (performance.now() - compared < compareMs) continue
        compared = performance.now()
        await compare()
      } catch (error) {
        failed(error)
      }
    }
  }

  signal.addEventListener('abort', () => roster.end())
  signal.addEventListener('abort', () => told.resolve())
  void follow()
  await told.promise
  void askForEver()
}

function parse(kv: KeyValue): Card | undefined {
  try {
    return readCard(JSON.parse(fromBase64(kv.value ?? '')))
  } catch {
    return undefined // Not JSON: the caller says so.
  }
}
