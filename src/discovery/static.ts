// Discovery without a service: one process alone (a board in memory), or workers at addresses the user gave, which tell their cards themselves.
import { log } from '../lib/log.ts'
import { Bell } from './bell.ts'
import type { Card, CardChange, Discovery } from './discovery.ts'
import { keptDiscovery } from './kept-discovery.ts'
import { Roster } from './roster.ts'

/** Asks the worker at `host:port` for its card; rejects when it cannot be reached. */
export type FetchCard = (address: string, signal: AbortSignal) => Promise<Card>

const askMs = 500
const answerMs = 1000
const unreachableMs = 1500

/** The cards of one process. Its parts that open a discovery on the same board see each other. */
export interface Board {
  readonly cards: Map<string, Card>
  readonly listeners: Set<(change: CardChange) => void>
}

export const createBoard = (): Board => ({ cards: new Map(), listeners: new Set() })

const keyOf = (card: Card): string => JSON.stringify([card.namespace, card.id])

export function staticDiscovery(board: Board): Discovery {
  const tell = (change: CardChange) => {
    for (const listener of [...board.listeners]) listener(change)
  }
  return keptDiscovery({
    place: {
      name: 'this process',
      async show(card) {
        board.cards.set(keyOf(card), card)
        tell({ kind: 'changed', card })
      },
      beat: async (card) => board.cards.has(keyOf(card)),
      async hide(card) {
        if (board.cards.delete(keyOf(card))) tell({ kind: 'gone', card })
      },
    },
    async watch(namespace, listener, signal) {
      const roster = new Roster(listener)
      const hear = (change: CardChange) => {
        if (change.card.namespace !== namespace) return
        if (change.kind === 'gone') roster.removed(change.card.id)
        else roster.seen(change.card)
      }
      board.listeners.add(hear)
      signal.addEventListener('abort', () => {
        board.listeners.delete(hear)
        roster.end()
      })
      for (const card of board.cards.values()) hear({ kind: 'added', card })
    },
  })
}

/** Watches workers at fixed addresses; each is asked again and again. What is announced reaches nobody: others are told where this process is, and ask it. */
export function addressedDiscovery(addresses: readonly string[], fetchCard: FetchCard): Discovery {
  return keptDiscovery({
    place: {
      name: 'fixed worker addresses',
      show: async () => {},
      beat: async () => true,
      hide: async () => {},
    },
    async watch(namespace, listener, signal) {
      const roster = new Roster(listener)
      signal.addEventListener('abort', () => roster.end())
      await Promise.all(addresses.map((address) => follow(address, namespace, fetchCard, roster, signal)))
    },
  })
}

/** Resolves after the first answer or failure; goes on until the signal. */
async function follow(address: string, namespace: string, fetchCard: FetchCard, roster: Roster, signal: AbortSignal): Promise<void> {
  let current: string | undefined
  let answeredAt = 0
  let failures = 0
  let told = ''
  const say = (what: string, reason?: string) => {
    if (told !== what) log.warn({ address, reason }, what)
    told = what
  }
  const leave = () => {
    if (current !== undefined) roster.removed(current)
    current = undefined
  }
  async function ask(): Promise<void> {
    try {
      const card = await fetchCard(address, AbortSignal.any([signal, AbortSignal.timeout(answerMs)]))
      answeredAt = performance.now()
      failures = 0
      if (card.id !== current) leave()
      if (card.namespace !== namespace)
        return say(`the worker belongs to namespace '${card.namespace}', not '${namespace}'; it is not used`)
      told = ''
      current = card.id
      roster.seen(card)
    } catch (error) {
      if (signal.aborted) return
      say('the worker cannot be reached; still trying', (error as Error).message)
      // Twice, so that one late look of a busy frontend ends nobody.
      if (++failures > 1 && performance.now() - answeredAt >= unreachableMs) leave()
    }
  }
  await ask()
  const bell = new Bell()
  void (async () => {
    while (!signal.aborted) {
      // Soon after a failure, so that a restarted worker is back at once.
      await bell.wait(failures === 0 ? askMs : askMs / 2, signal)
      if (!signal.aborted) await ask()
    }
  })()
}
