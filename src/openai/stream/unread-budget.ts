// What all streams of pictures and clips of this process may hold for clients that do not read: many small debts are one large one.

/** A stream with something that waits for its client. */
export interface Debtor {
  /** Time (performance.now) since when the client took nothing; undefined while it takes all there is. */
  readonly stuckSince: number | undefined
  /** Drops what waits, and ends the stream. */
  cut(): void
}

export class UnreadBudget {
  readonly #most: number
  readonly #owed = new Map<Debtor, number>()
  #sum = 0

  /** `most`: bytes in all. */
  constructor(most: number) {
    this.#most = most
  }

  /** Bytes that wait, in all streams. */
  get sum(): number {
    return this.#sum
  }

  /** `debtor` now holds `bytes`; over the budget, streams whose clients took nothing for the longest time are cut, maybe this one. */
  set(debtor: Debtor, bytes: number): void {
    this.#note(debtor, bytes)
    while (bytes > 0 && this.#sum > this.#most) {
      const worst = this.#worst()
      if (worst === undefined) return
      this.#note(worst, 0)
      worst.cut()
    }
  }

  #note(debtor: Debtor, bytes: number): void {
    this.#sum += bytes - (this.#owed.get(debtor) ?? 0)
    if (bytes === 0) this.#owed.delete(debtor)
    else this.#owed.set(debtor, bytes)
  }

  #worst(): Debtor | undefined {
    let worst: Debtor | undefined
    for (const debtor of this.#owed.keys()) {
      const since = debtor.stuckSince
      if (since !== undefined && (worst?.stuckSince === undefined || since < worst.stuckSince)) worst = debtor
    }
    return worst
  }
}

/** Of all media streams. */
export const mediaUnread = new UnreadBudget(256 << 20)

/** Of one stream of pictures or of a clip: whoever has so much waiting gets nothing more. The last event before may be larger. */
export const MAX_MEDIA_UNREAD = 64 << 20
