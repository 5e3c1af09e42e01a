// Load of each DP rank, as the frames tell it, passed on at most 20 times a second: per step it is two numbers stored, not an event.

export type LoadListener = (rank: number, running: number, waiting: number, usedTokens: number, totalTokens: number) => void

const everyMs = 50
const fields = 4

export class LoadReporter {
  private readonly tell: LoadListener
  private latest = new Float64Array(fields * 8)
  private changed = new Set<number>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(tell: LoadListener) {
    this.tell = tell
  }

  note(rank: number, running: number, waiting: number, usedTokens: number, totalTokens: number): void {
    const at = rank * fields
    if (at + fields > this.latest.length) {
      const wider = new Float64Array(2 * (at + fields))
      wider.set(this.latest)
      this.latest = wider
    }
    const latest = this.latest
    if (latest[at] === running && latest[at + 1] === waiting && latest[at + 2] === usedTokens && latest[at + 3] === totalTokens) return
    latest[at] = running
    latest[at + 1] = waiting
    latest[at + 2] = usedTokens
    latest[at + 3] = totalTokens
    this.changed.add(rank)
    this.timer ??= setTimeout(() => this.flush(), everyMs)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private flush(): void {
    this.timer = undefined
    const ranks = [...this.changed]
    this.changed.clear()
    for (const rank of ranks) {
      const at = rank * fields
      this.tell(rank, this.latest[at]!, this.latest[at + 1]!, this.latest[at + 2]!, this.latest[at + 3]!)
    }
  }
}
