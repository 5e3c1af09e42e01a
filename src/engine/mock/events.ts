// Who listens to a mock engine, and what they are told: states, KV changes by rank with a sequence number, loads.
import type { EngineEvent } from '../types.ts'
import { LoadReports } from './load.ts'
import type { Rank } from './rank/step.ts'

export class Events {
  readonly loads = new LoadReports((event) => this.emit(event))
  private readonly listeners = new Set<(event: EngineEvent) => void>()
  private readonly kvSeq: number[] = []
  private ranks: readonly Rank[] = []
  private readonly kv: boolean

  /** `kv`: tell what the caches do. */
  constructor(kv: boolean) {
    this.kv = kv
  }

  /** The ranks that are noted for from now on. */
  watch(ranks: readonly Rank[]): void {
    this.ranks = ranks
    this.record()
  }

  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener)
    this.record()
    return () => {
      this.listeners.delete(listener)
      this.record()
    }
  }

  emit(event: EngineEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  /** Tells what changed in a rank since the last call. */
  stepped(rank: Rank): void {
    if (this.listeners.size === 0) return
    this.tellKv(rank)
    this.loads.changed(rank)
  }

  tellKv(rank: Rank): void {
    const changes = rank.kv.takeChanges()
    if (changes === undefined) return
    const seq = this.kvSeq[rank.index] ?? 0
    this.kvSeq[rank.index] = seq + 1
    this.emit({ kind: 'kv', rank: rank.index, seq, changes })
  }

  /** KV changes and loads cost something to note, so they are only noted for someone. */
  private record(): void {
    for (const rank of this.ranks) rank.kv.recording = this.kv && this.listeners.size > 0
    this.loads.enabled = this.listeners.size > 0
  }
}
