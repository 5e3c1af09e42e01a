// What a picture has met so far, and when that is enough.
import type { Trouble } from './attempt.ts'
import type { Member } from './member.ts'
import type { Loss } from './race.ts'

/** Failures of encoders that go on to live, and encoders that died, which one picture may cost before it is its own fault. */
const mostFailures = 3
const mostDeaths = 6

export class Course {
  /** Not again while there are others. */
  readonly tried = new Set<Member>()
  last: Trouble | undefined
  /** Until when somebody may have worked on it. */
  workedAt = performance.now()
  private failures = 0
  private deaths = 0

  /** Throws its error when no other encoder is to be tried. */
  lost({ member, trouble }: Loss): void {
    const { kind, error, blame, heardAt } = trouble
    if (kind === 'final') throw error
    if (kind === 'unavailable') this.deaths += blame
    else this.failures++
    if (this.deaths > mostDeaths || this.failures >= mostFailures) throw error
    this.last = trouble
    this.workedAt = Math.max(this.workedAt, heardAt)
    this.tried.add(member)
  }
}
