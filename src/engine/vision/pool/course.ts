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
  /** Time in which nobody worked on it. */
  waitedMs = 0
  /** Tried it more than once themselves: not again at all. */
  private readonly done = new Set<Member>()
  private failures = 0
  private deaths = 0

  /** Throws its error when no other encoder is to be tried. */
  lost({ member, trouble }: Loss): void {
    const { kind, error, blame, idleMs } = trouble
    if (kind === 'final') throw error
    if (kind === 'unavailable') this.deaths += blame
    else this.failures++
    if (this.deaths > mostDeaths || this.failures >= mostFailures) throw error
    this.last = trouble
    this.waitedMs += idleMs
    this.tried.add(member)
    if (member.encoder.retries === true && member.encoder.ready) this.done.add(member)
  }

  /** May be asked, perhaps not for the first time. */
  mayAsk(member: Member): boolean {
    return !this.done.has(member)
  }

  /** Everybody else is asked once more. */
  again(): void {
    this.tried.clear()
    for (const member of this.done) this.tried.add(member)
  }
}
