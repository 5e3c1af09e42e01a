// Load events of the mock's ranks: at once after a quiet time, then at most one in 50 ms, and always a last one.
import type { EngineEvent } from '../types.ts'
import type { Rank } from './rank/step.ts'

type LoadEvent = Extract<EngineEvent, { kind: 'load' }>

const everyMs = 50

export class LoadReports {
  enabled = false
  private readonly emit: (event: LoadEvent) => void
  private readonly dirty = new Set<Rank>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(emit: (event: LoadEvent) => void) {
    this.emit = emit
  }

  /** Says that the rank's load is another now; the event follows. */
  changed(rank: Rank): void {
    if (!this.enabled) return
    this.dirty.add(rank)
    if (this.timer !== undefined) return
    this.flush()
    this.timer = setTimeout(this.onTimer, everyMs)
    this.timer.unref()
  }

  read(rank: Rank): LoadEvent {
    const { kv } = rank
    return {
      kind: 'load',
      rank: rank.index,
      running: rank.running.length + rank.prefilling.length,
      waiting: rank.waiting.length,
      usedTokens: kv.held() * kv.blockSize,
      totalTokens: kv.capacity * kv.blockSize,
    }
  }

  /** Running and waiting together. */
  rows(rank: Rank): number {
    return rank.running.length + rank.prefilling.length + rank.waiting.length
  }

  /** The rank with the fewest rows, then with the least KV held. */
  least(ranks: readonly Rank[]): number {
    let best = ranks[0]!
    for (const rank of ranks) {
      const rows = this.rows(rank) - this.rows(best)
      if (rows < 0 || (rows === 0 && rank.kv.held() < best.kv.held())) best = rank
    }
    return best.index
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flush()
  }

  private readonly onTimer = (): void => {
    this.timer = undefined
    if (this.dirty.size === 0) return
    this.flush()
    this.timer = setTimeout(this.onTimer, everyMs)
    this.timer.unref()
  }

  private flush(): void {
    const ranks = [...this.dirty]
    this.dirty.clear()
    for (const rank of ranks) this.emit(this.read(rank))
  }
}
