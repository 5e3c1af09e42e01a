// Keeps one card shown in a place that may be away for a while: shows it, gives signs of life, shows it again when the place lost it.
import { AppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { Bell } from './bell.ts'
import type { Announcement, Card } from './discovery.ts'

/** How often a process says that it lives. */
export const beatMs = 400
const retryMs = 250
/** A withdrawal waits so long for a place that is away; the missing heartbeat says the same a little later. */
const hideMs = 1000

/** Where cards are put. Each call rejects within about a second when the place is away; what it threw is logged once. */
export interface CardPlace {
  /** For the log: what it is and where. */
  readonly name: string
  /** Where a sign of life is costly; at most half of the roster's `staleMs`. Default `beatMs`. */
  readonly beatMs?: number
  /** Puts the whole card there, over an older one with its id. An AppError `invalid_value` means that it never will, `invalid_setting` that nothing ever could. */
  show(card: Card): Promise<void>
  /** A sign of life. False: the card is not there any more. */
  beat(card: Card): Promise<boolean>
  hide(card: Card): Promise<void>
}

export interface KeptCard extends Announcement {
  /** Resolves when the card was shown for the first time; rejects when it cannot be or was withdrawn before. */
  readonly shown: Promise<void>
}

interface Waiter {
  version: number
  resolve(): void
  reject(error: Error): void
}

/** Starts keeping it; `withdraw` ends that. */
export function keepCard(place: CardPlace, first: Card): KeptCard {
  let card = first
  let wanted = 1
  let shownVersion = 0
  let refused = false
  let everShown = false
  let ended: Error | undefined
  const bell = new Bell()
  let waiters: Waiter[] = []

  const reach = (version: number): Promise<void> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) reject(ended)
      else waiters.push({ version, resolve, reject })
    })
  const end = (reason: Error): void => {
    ended ??= reason
    for (const waiter of waiters) waiter.reject(ended)
    waiters = []
    bell.ring()
  }

  async function step(): Promise<void> {
    const version = wanted
    if (shownVersion === version) {
      if (!(await place.beat(card))) shownVersion = 0
      return
    }
    await place.show(card)
    shownVersion = version
    everShown = true
    const [due, later] = [waiters.filter((waiter) => waiter.version <= version), waiters.filter((waiter) => waiter.version > version)]
    waiters = later
    for (const waiter of due) waiter.resolve()
  }

  async function run(): Promise<void> {
    for (let away = false; ended === undefined; ) {
      const started = performance.now()
      try {
        await step()
        if (away) log.info({ place: place.name, id: card.id }, 'discovery is back; the card is shown')
        away = false
      } catch (error) {
        if (isFinal(error) || (!everShown && isSetting(error))) {
          refused = true
          return end(error)
        }
        if (!away) log.warn({ place: place.name, id: card.id, reason: (error as Error).message }, 'discovery is away; still trying')
        away = true
      }
      if (ended !== undefined) return
      // What was lost or changed meanwhile is shown at once.
      if (away) await bell.wait(retryMs)
      else if (shownVersion === wanted) await bell.wait(Math.max(0, (place.beatMs ?? beatMs) - (performance.now() - started)))
    }
  }

  const shown = reach(1)
  const finished = run()
  let withdrawal: Promise<void> | undefined
  return {
    shown,
    update(body) {
      if (ended !== undefined) return Promise.reject(ended)
      card = { ...card, body }
      wanted++
      bell.ring()
      return reach(wanted)
    },
    withdraw() {
      withdrawal ??= (async () => {
        end(new AppError('shutting_down', { message: `The card ${first.id} was withdrawn.` }))
        await Promise.race([
          finished
            .then(() => (refused ? undefined : place.hide(card)))
            .catch((error) =>
              log.warn(
                { place: place.name, id: card.id, reason: (error as Error).message },
                'the card could not be taken back; it will be seen as dead',
              ),
            ),
          Bun.sleep(hideMs),
        ])
      })()
      return withdrawal
    },
  }
}

const isFinal = (error: unknown): error is AppError => error instanceof AppError && error.code === 'invalid_value'
const isSetting = (error: unknown): error is AppError => error instanceof AppError && error.code === 'invalid_setting'
