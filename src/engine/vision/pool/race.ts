// A picture on one encoder, and while that one is slow on an idle one besides: the first rows win, the other's work is dropped and its load let go.
import type { Embeddings } from '../vision.ts'
import type { Trouble } from './attempt.ts'
import type { Changes } from './changes.ts'
import type { Attempt, Member } from './member.ts'

/** An encoder that has booked the picture. */
export type Entrant = readonly [Member, Attempt]

/** What became of the picture on an encoder that made no rows of it. */
export interface Loss {
  readonly member: Member
  readonly trouble: Trouble
}

export interface Track {
  /** Never rejects. */
  run(entrant: Entrant, signal: AbortSignal): Promise<Embeddings | Trouble>
  /** Books an encoder that has nothing to do, another than `member`. */
  another(member: Member): Entrant | undefined
  /** Told when an encoder may have become idle. */
  changes: Changes
}

/** Resolves with rows, or with all losses, one at least. Never rejects. `signal`: nobody waits. */
export async function race(first: Entrant, { run, another, changes }: Track, signal: AbortSignal): Promise<Embeddings | readonly Loss[]> {
  const over = new AbortController()
  const end = () => over.abort()
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  const decided = Promise.withResolvers<Embeddings | readonly Loss[]>()
  const losses: Loss[] = []
  let running = 0
  const enter = async (entrant: Entrant) => {
    running++
    const outcome = await run(entrant, over.signal)
    running--
    if (!('kind' in outcome)) return decided.resolve(outcome)
    losses.push({ member: entrant[0], trouble: outcome })
    if (running === 0 || outcome.kind === 'final') decided.resolve(losses)
  }
  const [member, attempt] = first
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = () => {
    const left = member.slowAt(attempt) - performance.now()
    timer = setTimeout(left > 0 ? look : hedge, Math.max(0, left))
  }
  const hedge = async () => {
    // Who has lost meanwhile is not slow: what comes then is the pool's matter.
    while (!over.signal.aborted && losses.length === 0) {
      const more = another(member)
      if (more !== undefined) return enter(more)
      await changes.next(undefined, over.signal)
    }
  }
  void enter(first)
  look()
  try {
    return await decided.promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
    end()
  }
}
