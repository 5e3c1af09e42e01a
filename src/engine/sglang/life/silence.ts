// An engine that lives but says nothing: who waits on it must not wait for ever. Quiet ranks are asked for a token; one that does not give it is dead.
import type { Running, Slots } from '../requests/slots.ts'

/** After frames were lost, a request that gets no row for this long is given up. */
const doubtMs = 3000
/** A limit is this many ticks, so that a late timer of our own process is not taken for the engine's silence. */
const ticksOfLimit = 4

export interface SilenceEvents {
  /** True while silence means nothing: the engine is paused, or works on an operation that may take minutes. */
  excused(): boolean
  /** Asks the engine for a sign of life of these ranks; rejects with the reason when none came within `limitMs`. */
  probe(ranks: readonly number[], limitMs: number): Promise<void>
  /** The engine is alive and has forgotten these. */
  lost(running: readonly Running[]): void
  /** Ended for their callers long ago, but the engine never said so. */
  unconfirmed(running: readonly Running[]): void
  /** The probe failed. Told once. */
  dead(reason: string): void
}

export class Silence {
  private readonly slots: Slots
  private readonly events: SilenceEvents
  private readonly limitMs: number
  private readonly spoke: boolean[]
  private readonly quiet: number[]
  private timer: ReturnType<typeof setInterval> | undefined
  private probing = false

  /** Watches from now on; `limitMs` 0 never acts. */
  constructor(slots: Slots, ranks: number, limitMs: number, events: SilenceEvents) {
    this.slots = slots
    this.events = events
    this.limitMs = limitMs
    this.spoke = new Array<boolean>(ranks).fill(false)
    this.quiet = new Array<number>(ranks).fill(0)
    if (limitMs > 0) this.timer = setInterval(() => this.tick(), limitMs / ticksOfLimit)
  }

  /** A frame of this rank has come. On the hot path. */
  heard(rank: number): void {
    this.spoke[rank] = true
  }

  heardAll(): void {
    this.spoke.fill(true)
  }

  /** Frames of this rank are missing. What they held cannot be told: who hears nothing more may have had its end in them. */
  gap(rank: number): void {
    const silent = this.stillSilent(this.slots.all().filter((running) => !running.ended && this.ranksOf(running).includes(rank)))
    setTimeout(() => {
      const lost = silent()
      if (lost.length > 0) this.events.lost(lost)
    }, doubtMs)
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private tick(): void {
    const now = ++this.slots.tick
    const excused = this.events.excused()
    for (let rank = 0; rank < this.quiet.length; rank++) {
      this.quiet[rank] = this.spoke[rank] || excused ? 0 : this.quiet[rank]! + 1
      this.spoke[rank] = false
    }
    if (excused || this.probing) return
    const old = this.slots.all().filter((running) => now - running.changedAt > ticksOfLimit)
    const unconfirmed = old.filter((running) => running.ended)
    if (unconfirmed.length > 0) this.events.unconfirmed(unconfirmed)
    const waiting = old.filter((running) => !running.ended && this.ranksOf(running).every((rank) => this.isQuiet(rank)))
    if (waiting.length > 0) void this.ask(waiting)
  }

  /** Nothing but the probe was heard of all these ranks: who still waits there waits in vain. */
  private async ask(waiting: readonly Running[]): Promise<void> {
    const ranks = [...new Set(waiting.flatMap((running) => this.ranksOf(running)))]
    this.probing = true
    try {
      const silent = this.stillSilent(waiting)
      await this.events.probe(ranks, this.limitMs)
      const lost = silent()
      if (this.timer && lost.length > 0) this.events.lost(lost)
    } catch (thrown) {
      const spoken = ranks.every((rank) => !this.isQuiet(rank) || this.spoke[rank])
      if (this.timer && !spoken)
        this.events.dead(`the engine was silent for ${this.limitMs / 1000} s: ${thrown instanceof Error ? thrown.message : thrown}`)
    } finally {
      this.probing = false
    }
  }

  private isQuiet(rank: number): boolean {
    return this.quiet[rank]! > ticksOfLimit
  }

  /** Call the result later: those of `some` that have got nothing since and still wait. */
  private stillSilent(some: readonly Running[]): () => Running[] {
    const received = some.map((running) => running.received)
    return () => some.filter((running, i) => this.slots.holds(running) && !running.ended && running.received === received[i])
  }

  /** Where it may run. */
  private ranksOf(running: Running): readonly number[] {
    const rank = running.rank
    return rank !== undefined && rank < this.quiet.length ? [rank] : [...this.quiet.keys()]
  }
}
