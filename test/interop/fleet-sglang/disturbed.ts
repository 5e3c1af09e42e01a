// Requests of every kind again and again while something happens to the workers: which answers were lost or became others, and how long clients waited.
import { type Answer, type Asked, ask, sameOf } from './answers.ts'

export interface Disturbed {
  answers: number
  /** Errors that clients saw. */
  failed: string[]
  /** Answers that differ from the undisturbed ones. */
  wrong: string[]
  /** Longest silence of each stream, beyond the same stream's when nothing happened. */
  addedGapMs: { p50: number; p99: number; most: number }
}

/** The same requests without trouble, all at once: what they must be, and their silences under this load. */
export async function undisturbed(url: string, all: readonly Asked[]): Promise<Answer[]> {
  return Promise.all(all.map((asked) => ask(url, asked)))
}

export interface Under {
  /** Until so many more pieces of text have come. */
  pieces(count: number): Promise<void>
  /** No request is begun while `work` runs: an engine that starts beside twenty streams takes minutes on two cores. */
  quiet(work: () => Promise<unknown>): Promise<void>
}

/** A client for each request repeats it until `trouble` is over. */
export async function disturbed(
  url: string,
  all: readonly Asked[],
  calm: readonly Answer[],
  trouble: (under: Under) => Promise<unknown>,
): Promise<Disturbed> {
  const gaps: number[] = []
  const report: Disturbed = { answers: 0, failed: [], wrong: [], addedGapMs: { p50: 0, p99: 0, most: 0 } }
  let over = false
  let seen = 0
  let held = false
  const under: Under = {
    async pieces(count) {
      const end = seen + count
      while (seen < end) await Bun.sleep(5)
    },
    async quiet(work) {
      held = true
      try {
        await work()
      } finally {
        held = false
      }
    },
  }
  async function client(at: number): Promise<void> {
    do {
      try {
        const answer = await ask(url, all[at]!, () => seen++)
        report.answers++
        gaps.push(Math.max(0, answer.longestGapMs - calm[at]!.longestGapMs))
        const [now, then] = [JSON.stringify(sameOf(answer)), JSON.stringify(sameOf(calm[at]!))]
        if (now !== then) report.wrong.push(`${all[at]!.name}: ${now} instead of ${then}`)
      } catch (error) {
        report.failed.push(`${all[at]!.name}: ${error}`)
        await Bun.sleep(500)
      }
      while (held) await Bun.sleep(20)
    } while (!over)
  }
  const ending = (async () => {
    try {
      await trouble(under)
    } finally {
      over = true
    }
  })()
  await Promise.all([ending, ...all.map((_, at) => client(at))])
  gaps.sort((x, y) => x - y)
  const quantile = (part: number) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))] ?? 0)
  report.addedGapMs = { p50: quantile(0.5), p99: quantile(0.99), most: quantile(1) }
  return report
}
