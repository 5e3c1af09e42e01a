// The cards one watcher knows, and when a silent one counts as dead. Pure: the caller tells the time and what it saw.
// A process is judged by whether its heartbeat *changed* while this watcher was looking, never by comparing clocks; time not looked at does not count.
import { log } from '../lib/log.ts'
import type { Card, CardChange } from './discovery.ts'

/** Silence after which a process counts as dead: with a beat each `beatMs` and a look each `lookMs`, gone for all within 2 s. */
export const staleMs = 1400
export const lookMs = 200
/** A look that comes later than this (this process was stopped or busy) counts as this much only. */
const longestLookMs = 2 * lookMs

interface Entry {
  card: Card
  /** What `changed` is decided by. */
  text: string
  beat: string | undefined
  silentMs: number
  /** Told as gone; kept so that its last heartbeat does not bring it back. */
  gone: boolean
}

export class Roster {
  private readonly entries = new Map<string, Entry>()
  private readonly listener: (change: CardChange) => void
  private ended = false
  private lookedAt = 0

  constructor(listener: (change: CardChange) => void) {
    this.listener = listener
  }

  /** The source shows this card. With a heartbeat, only a new one is a sign of life; without, the showing is. */
  seen(card: Card, beat?: string): void {
    const text = JSON.stringify(card)
    const known = this.entries.get(card.id)
    if (known === undefined) {
      this.entries.set(card.id, { card, text, beat, silentMs: 0, gone: false })
      this.tell({ kind: 'added', card })
      return
    }
    const { text: before } = known
    known.card = card
    known.text = text
    const alive = this.live(known, beat)
    if (alive === 'back') this.tell({ kind: 'added', card })
    else if (!known.gone && before !== text) this.tell({ kind: 'changed', card })
  }

  /** The source shows a card that may be a dead process's leftover: it is told when its heartbeat changes. */
  doubted(card: Card, beat: string): void {
    if (this.entries.has(card.id)) this.seen(card, beat)
    else this.entries.set(card.id, { card, text: JSON.stringify(card), beat, silentMs: 0, gone: true })
  }

  /** Whether a doubted card may still turn out to live. */
  get doubts(): boolean {
    return [...this.entries.values()].some((entry) => entry.gone && entry.silentMs < staleMs)
  }

  /** A heartbeat without its card. Returns false when the card is not known: it has to be read. */
  beat(id: string, beat: string): boolean {
    const known = this.entries.get(id)
    if (known === undefined) return false
    if (this.live(known, beat) === 'back') this.tell({ kind: 'added', card: known.card })
    return true
  }

  private live(known: Entry, beat: string | undefined): 'same' | 'back' {
    if (beat !== undefined && beat === known.beat) return 'same'
    known.beat = beat
    known.silentMs = 0
    if (!known.gone) return 'same'
    known.gone = false
    return 'back'
  }

  /** The source says it was withdrawn. */
  removed(id: string): void {
    const known = this.entries.get(id)
    if (known === undefined) return
    this.entries.delete(id)
    if (!known.gone) this.tell({ kind: 'gone', card: known.card })
  }

  /** Counts the time since the last look as silence of everyone; call it after what was seen, and only when the source answered. */
  look(now: number): void {
    const passed = this.lookedAt === 0 ? 0 : Math.min(now - this.lookedAt, longestLookMs)
    this.lookedAt = now
    for (const entry of this.entries.values()) entry.silentMs += passed
  }

  /** Silent for `ms` and not told as gone yet. */
  silent(ms: number = staleMs): Card[] {
    return [...this.entries.values()].filter((entry) => !entry.gone && entry.silentMs >= ms).map((entry) => entry.card)
  }

  /** Tells it as gone; a new heartbeat brings it back. */
  lost(id: string): void {
    const known = this.entries.get(id)
    if (known === undefined || known.gone) return
    known.gone = true
    this.tell({ kind: 'gone', card: known.card })
  }

  /** Dead for `ms`: what is left of them may be cleaned away. */
  forgotten(ms: number): string[] {
    return [...this.entries].filter(([, entry]) => entry.gone && entry.silentMs >= ms).map(([id]) => id)
  }

  /** The source was away or lost its contents: everyone gets the whole time again to show itself. */
  forgive(): void {
    for (const entry of this.entries.values()) if (!entry.gone) entry.silentMs = 0
  }

  has(id: string): boolean {
    return this.entries.has(id)
  }

  ids(): string[] {
    return [...this.entries.keys()]
  }

  /** Nothing is told any more. */
  end(): void {
    this.ended = true
    this.entries.clear()
  }

  private tell(change: CardChange): void {
    if (this.ended) return
    try {
      this.listener(change)
    } catch (error) {
      log.error({ err: error, id: change.card.id, change: change.kind }, 'a watcher of discovery failed on a card')
    }
  }
}
