// A Discovery made of two halves that each backend brings: a place that cards are kept in, and a way to watch it.
import { AppError } from '../lib/errors.ts'
import type { Card, CardChange, CardKind, Discovery } from './discovery.ts'
import { type CardPlace, type KeptCard, keepCard } from './kept-card.ts'

export interface DiscoveryParts {
  readonly place: CardPlace
  /** As Discovery's `watch`; ends by the signal alone. */
  watch(namespace: string, listener: (change: CardChange) => void, signal: AbortSignal): Promise<void>
  /** After everything was withdrawn and each watch ended. */
  close?(): Promise<void>
}

/** Owns the announcements and the watches until `close`. */
export function keptDiscovery(parts: DiscoveryParts): Discovery {
  const cards = new Set<KeptCard>()
  const watches = new Set<AbortController>()
  let closing: Promise<void> | undefined
  const open = (): void => {
    if (closing !== undefined) throw new AppError('shutting_down', { message: 'Discovery is closed.' })
  }
  return {
    async announce(card) {
      open()
      const kept = keepCard(parts.place, card)
      cards.add(kept)
      const withdraw = async () => {
        await kept.withdraw()
        cards.delete(kept)
      }
      try {
        await kept.shown
      } catch (error) {
        await withdraw()
        throw error
      }
      return { update: kept.update, withdraw }
    },
    async watch(namespace, listener) {
      open()
      const control = new AbortController()
      watches.add(control)
      const stop = () => {
        control.abort()
        watches.delete(control)
      }
      try {
        await parts.watch(namespace, listener, control.signal)
      } catch (error) {
        stop()
        throw error
      }
      return stop
    },
    close() {
      closing ??= (async () => {
        for (const control of watches) control.abort()
        watches.clear()
        await Promise.all([...cards].map((kept) => kept.withdraw()))
        cards.clear()
        await parts.close?.()
      })()
      return closing
    },
  }
}

const kinds: ReadonlySet<unknown> = new Set<CardKind>(['worker', 'frontend', 'node', 'media-worker', 'encode-worker'])

/** What another process wrote, as a card; undefined when it is none. */
export function readCard(value: unknown): Card | undefined {
  const card = value as Partial<Card> | null
  if (typeof card !== 'object' || card === null) return undefined
  const { id, kind, namespace, body } = card
  if (typeof id !== 'string' || id === '' || typeof namespace !== 'string') return undefined
  if (kind === undefined || !kinds.has(kind)) return undefined
  if (typeof body !== 'object' || body === null) return undefined
  return { id, kind, namespace, body }
}
