// One encoder of a pool: what it is asked at the moment, how fast it was lately, and whether it is left alone for a while. Times are milliseconds of one clock.
import type { EncoderInfo, VisionEncoder } from '../vision.ts'
import type { MemberFigures, Totals } from './totals.ts'

export interface Patience {
  /** One that shows life, and then is silent for so long, stands still. */
  silenceMs: number
  /**
   * An encoder that shows no life and finishes nothing for this long, and `slack` times what its work should take, hangs. So does one that is not seen at work for this long, though
   * it would be.
   */
  graceMs: number
  /** The same of one that shows life: it may be slow, but not for ever. */
  livingGraceMs: number
  slack: number
  /** A picture that takes longer than this and twice its own time is given to an idle encoder as well. */
  hedgeMs: number
  /** Of an encoder that told no pace. */
  msPerPatch: number
}

/** A tower on a GPU takes 0.01 to 0.1 ms a patch; one on a CPU tells its pace, or shows it. */
export const defaultPatience: Patience = { silenceMs: 1300, graceMs: 1300, livingGraceMs: 20_000, slack: 4, hedgeMs: 1000, msPerPatch: 0.1 }

/** Encoders put pictures together; more patches than this are never one piece of work. */
const batchPatches = 16_384
/** How slowly a slow time is forgotten: rows from a cache say nothing of the next encode. */
const memory = 0.98
const firstAsideMs = 1000
const longestAsideMs = 30_000
/** An encoder that fails so many pictures in a row is left alone like one that hangs. */
const failuresInRow = 3
/** It cannot now, and does not say so by its state. */
const unavailableAsideMs = 250

const sameDeathMs = 20
/** Pictures that are really in work when an encoder dies; what else it had was waiting. */
const workedAtOnce = 4

export interface Attempt {
  readonly patches: number
  readonly begunAt: number
  /** Shows whether an encoder that was left alone is well. */
  trial: boolean
  /** Ends it: its encoder was seen to hang. Set by who runs it. */
  giveUp: (how: Stall) => void
}

/** Of an encoder that hangs: it shows no life any more, or finishes nothing. */
export type Stall = 'silent' | 'stalled'

export class Member {
  readonly id: string
  readonly encoder: VisionEncoder
  readonly running = new Set<Attempt>()
  readonly totals: Totals
  /** Its last failure, for people. */
  trouble = ''
  private readonly patience: Patience
  private msPerPatch: number | undefined
  private lastDoneAt = 0
  private strikes = 0
  private diedAt = Number.NEGATIVE_INFINITY
  private diedWith = 0
  /** Its silence was told; until it is heard again. */
  private missedAt = Number.NEGATIVE_INFINITY
  /** 0: it is well, as far as is known. */
  private asideUntil = 0

  constructor(id: string, encoder: VisionEncoder, patience: Patience, totals: Totals) {
    this.id = id
    this.encoder = encoder
    this.totals = totals
    this.patience = patience
  }

  /** Undefined until it has started. */
  get info(): EncoderInfo | undefined {
    try {
      return this.encoder.info
    } catch {
      return undefined // One that learns its facts from afar.
    }
  }

  /** Shows no life although it could. */
  isSilent(now: number): boolean {
    const { heardAt } = this.encoder
    return heardAt !== undefined && now - heardAt > this.patience.silenceMs
  }

  /** Left alone at `now`, or being tried. */
  isAside(now: number): boolean {
    return now < this.asideUntil || (this.suspect && [...this.running].some(({ trial }) => trial))
  }

  /** Was left alone, and has not shown since that it is well. */
  get suspect(): boolean {
    return this.asideUntil > 0
  }

  get backAt(): number {
    return this.asideUntil
  }

  /** Patches that it was given, by this pool or by others. */
  load(): number {
    return Math.max(this.booked(), this.encoder.patchesInFlight())
  }

  figures(now: number): MemberFigures {
    const { id, encoder, totals } = this
    return { id, ready: encoder.ready, aside: this.isAside(now) || this.isSilent(now), patches: this.load(), ...totals }
  }

  /** From now on its. */
  book(patches: number, now: number): Attempt {
    const attempt = { patches, begunAt: now, trial: this.suspect, giveUp: () => {} }
    this.running.add(attempt)
    return attempt
  }

  release(attempt: Attempt): void {
    this.running.delete(attempt)
  }

  /** When `attempt` has taken too long, should nothing else be finished and nothing be heard until then. */
  dueAt(attempt: Attempt): number {
    const { graceMs, livingGraceMs, silenceMs, slack } = this.patience
    const { heardAt } = this.encoder
    let largest = attempt.patches
    for (const each of this.running) largest = Math.max(largest, each.patches)
    const patches = Math.min(this.booked(), Math.max(batchPatches, largest))
    const since = Math.max(attempt.begunAt, this.lastDoneAt)
    // Full attention takes time with the square of a picture; the pace is that of smaller ones.
    const work = slack * this.pace() * patches * Math.max(1, largest / batchPatches)
    if (heardAt === undefined) return since + graceMs + work
    const due = Math.min(Math.max(attempt.begunAt, heardAt) + silenceMs, since + livingGraceMs + work)
    if (this.encoder.work === undefined) return due
    const { seenAt, hidden } = this.encoder.work
    return Math.min(due, Math.max(since + (hidden ? work : 0), seenAt) + graceMs)
  }

  /** When another encoder that has nothing to do should try `attempt` too. The queue before it does not count: there it would have none. */
  slowAt(attempt: Attempt): number {
    return Math.max(attempt.begunAt, this.lastDoneAt) + this.patience.hedgeMs + 2 * this.pace() * attempt.patches
  }

  done(attempt: Attempt, now: number): void {
    const took = now - Math.max(attempt.begunAt, this.lastDoneAt)
    this.msPerPatch = Math.max(took / attempt.patches, this.pace() * memory)
    this.lastDoneAt = now
    this.forgive()
    this.totals.pictures++
    this.totals.seconds += (now - attempt.begunAt) / 1000
  }

  /** `news`: it hangs, and nobody knew. `blame`: the picture's part in it, above 0 and at most 1. */
  failed(kind: Stall | 'failed' | 'unavailable', why: string, now: number): { news: boolean; blame: number } {
    this.totals.failures++
    this.trouble = why
    if (kind === 'silent') {
      // It is used again as soon as it is heard: nothing else is known against it.
      const heardAt = this.encoder.heardAt ?? now
      const news = heardAt > this.missedAt
      this.missedAt = heardAt
      if (news) this.giveUpAll(kind)
      return { news, blame: 1 }
    }
    if (kind === 'unavailable') {
      // One that tries by itself has waited, and would say if it could take nothing.
      if (this.encoder.ready && this.encoder.retries !== true) this.asideUntil = Math.max(this.asideUntil, now + unavailableAsideMs)
      return { news: false, blame: this.blame(now) }
    }
    if (kind === 'stalled') {
      // All that runs on it tells the same news.
      if (now < this.asideUntil) return { news: false, blame: 1 }
    }
    const strikes = ++this.strikes - (kind === 'stalled' || this.suspect ? 1 : failuresInRow)
    if (strikes >= 0) this.asideUntil = now + Math.min(firstAsideMs * 2 ** strikes, longestAsideMs)
    if (kind === 'stalled') this.giveUpAll(kind)
    return { news: kind === 'stalled', blame: 1 }
  }

  /** It showed that it is well, or came back as a new process. */
  forgive(): void {
    this.strikes = 0
    this.asideUntil = 0
  }

  private giveUpAll(how: Stall): void {
    for (const each of [...this.running]) each.giveUp(how)
  }

  /** Of a death: those that were far back in the queue had the least to do with it. */
  private blame(now: number): number {
    // All that it had fail one after the other, within one turn or a few.
    if (now - this.diedAt > sameDeathMs) this.diedWith = this.running.size
    this.diedAt = now
    return Math.min(1, workedAtOnce / this.diedWith)
  }

  private booked(): number {
    let patches = 0
    for (const each of this.running) patches += each.patches
    return patches
  }

  private pace(): number {
    return this.msPerPatch ?? this.info?.msPerPatch ?? this.patience.msPerPatch
  }
}
