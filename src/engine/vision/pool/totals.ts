// What the encoders of a pool have done since the process began, those that left included: sums that fall would hide what went wrong.

/** Of one encoder, under its id. */
export interface Totals {
  pictures: number
  /** Attempts that failed or took too long, and times that it died. */
  failures: number
  seconds: number
}

/** One that is there. */
export interface MemberFigures extends Totals {
  id: string
  ready: boolean
  /** Left alone for now: it hung or failed. */
  aside: boolean
  patches: number
}

/** Ids of encoders that left are kept so far; the sums of earlier ones go on under `othersId`. */
const mostGone = 64

export const othersId = 'left-earlier'

/** By id. */
export class Ledger {
  /** Whoever is there or left lately; the latest to leave is the last of those that did. */
  private readonly gone = new Map<string, Totals>()
  private readonly others: Totals = none()

  /** Of an encoder that comes: it goes on where one of its name stopped. */
  take(id: string): Totals {
    const known = this.gone.get(id)
    this.gone.delete(id)
    return known ?? none()
  }

  /** It left; `totals` may still grow by what it had. */
  leave(id: string, totals: Totals): void {
    this.gone.set(id, totals)
    for (const [oldest, { pictures, failures, seconds }] of this.gone) {
      if (this.gone.size <= mostGone) break
      this.gone.delete(oldest)
      this.others.pictures += pictures
      this.others.failures += failures
      this.others.seconds += seconds
    }
  }

  /** Of all that left. */
  entries(): [id: string, totals: Totals][] {
    const { pictures, failures, seconds } = this.others
    return [...this.gone, ...(pictures + failures + seconds > 0 ? [[othersId, this.others] as [string, Totals]] : [])]
  }
}

function none(): Totals {
  return { pictures: 0, failures: 0, seconds: 0 }
}
