// Watches the Lease objects of a namespace: a list, then the changes after it, and the list again when the server has forgotten where we were (410).
// Nobody is called dead for a late event: who is silent is looked at once more, directly.
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { Bell } from '../bell.ts'
import type { CardChange } from '../discovery.ts'
import { lookMs, Roster, staleMs } from '../roster.ts'
import { isStatus, type KubernetesClient, KubernetesError, type Lease, type WatchEvent } from './client.ts'
import { cardOf, selectorOf } from './lease.ts'

/** The direct look is part of the silence that is waited for. */
const suspectMs = staleMs - 100
/** A lease renewed so recently by this machine's clock is believed at once; another only when it is renewed. */
const freshMs = 1000
const retryMs = 300
/** What dead processes left is deleted after so long. */
const cleanMs = 60_000
const expired = 410

/** Resolves when the cards that exist were told, rejects with AppError `invalid_setting` when we may not see them. Goes on until the signal. */
export async function watchKubernetes(
  client: KubernetesClient,
  namespace: string,
  listener: (change: CardChange) => void,
  signal: AbortSignal,
): Promise<void> {
  const roster = new Roster(listener)
  const selector = selectorOf(namespace)
  /** Lease name → the card's id and what was last seen of it. */
  const known = new Map<string, { id: string; renewed: string; version: string | undefined }>()
  const complained = new Set<string>()
  let resourceVersion: string | undefined
  let connected = false
  let away = false
  let stream = new AbortController()
  const told = Promise.withResolvers<void>()

  function see(lease: Lease): void {
    const { name, resourceVersion: version } = lease.metadata
    const card = cardOf(lease, namespace)
    const renewed = lease.spec?.renewTime ?? ''
    if (card === undefined) {
      if (!complained.has(name)) log.warn({ lease: name }, 'a Lease labelled as ours holds no card of this namespace; it is skipped')
      complained.add(name)
      return
    }
    const fresh = known.has(name) || Math.abs(Date.now() - Date.parse(renewed)) < freshMs
    known.set(name, { id: card.id, renewed, version })
    if (fresh) roster.seen(card, renewed)
    else roster.doubted(card, renewed)
  }
  function unsee(name: string): void {
    const entry = known.get(name)
    known.delete(name)
    if (entry !== undefined) roster.removed(entry.id)
  }

  function failed(error: unknown): void {
    connected = false
    if (!away && !signal.aborted)
      log.warn({ reason: (error as Error).message }, 'Kubernetes is away; what is known of other processes stays')
    away = true
  }
  function answered(): void {
    connected = true
    if (!away) return
    log.info({ place: client.name }, 'Kubernetes is back')
    away = false
    roster.forgive()
  }

  /** Who is missing in it is not gone for that: it is silent from now on, and looked at before it is dropped. */
  async function list(): Promise<string> {
    let next: string | undefined
    for (;;) {
      const page = await client.list(selector, next)
      for (const lease of page.items) see(lease)
      next = page.metadata.continue || undefined
      if (next === undefined) return page.metadata.resourceVersion
    }
  }
  function change({ type, object }: WatchEvent): void {
    if (type === 'ERROR') throw new KubernetesError(object.code ?? 500, object.message ?? 'the watch ended with an error')
    resourceVersion = object.metadata.resourceVersion ?? resourceVersion
    if (type === 'DELETED') unsee(object.metadata.name)
    else if (type !== 'BOOKMARK') see(object)
  }
  async function follow(): Promise<void> {
    const bell = new Bell()
    const accepted = () => {
      answered()
      told.resolve()
    }
    while (!signal.aborted) {
      stream = new AbortController()
      try {
        resourceVersion ??= await list()
        await client.watch(selector, resourceVersion, AbortSignal.any([signal, stream.signal]), accepted, change)
        // The server ends a watch every few minutes: go on from there.
      } catch (error) {
        if (stream.signal.aborted || error instanceof KubernetesError) resourceVersion = undefined
        if (!stream.signal.aborted && !isStatus(error, expired)) failed(error)
        if (error instanceof AppError) told.reject(error)
      }
      await bell.wait(retryMs, signal)
    }
  }

  /** Looks at one lease itself, not at what the watch told of it. */
  async function confirm(id: string): Promise<void> {
    const name = [...known].find(([, entry]) => entry.id === id)?.[0]
    const before = name === undefined ? undefined : known.get(name)
    if (name === undefined || before === undefined) return
    try {
      const lease = await client.get(name)
      if (known.get(name)?.renewed !== before.renewed) return
      if ((lease.spec?.renewTime ?? '') === before.renewed) return roster.lost(id)
      // It lives, and the watch did not say so.
      see(lease)
      stream.abort()
    } catch (error) {
      if (isStatus(error, 404)) unsee(name)
      else failed(error)
    }
  }
  async function clean(): Promise<void> {
    for (const id of roster.forgotten(cleanMs)) {
      const found = [...known].find(([, entry]) => entry.id === id)
      roster.removed(id)
      if (found === undefined) continue
      known.delete(found[0])
      // Someone else cleaned it, or it was renewed this moment.
      await client
        .remove(found[0], found[1].version)
        .catch((error) => log.debug({ lease: found[0], reason: (error as Error).message }, 'a dead Lease was not deleted'))
    }
  }
  async function look(): Promise<void> {
    const bell = new Bell()
    while (!signal.aborted) {
      await bell.wait(lookMs, signal)
      if (!connected) continue
      roster.look(performance.now())
      await Promise.all(roster.silent(suspectMs).map((card) => confirm(card.id)))
      await clean()
    }
  }

  signal.addEventListener('abort', () => roster.end())
  signal.addEventListener('abort', () => told.resolve())
  void follow()
  await told.promise
  void look()
  const bell = new Bell()
  while (roster.doubts && !signal.aborted) await bell.wait(lookMs, signal)
}
