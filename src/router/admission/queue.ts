// Requests that wait for room, in the order in which they shall go: a pure list; waiting-room.ts holds the promises and the timer.

export interface Waiting {
  /** Higher goes first, whatever the rest says. */
  readonly priority: number
  /** Within one priority, higher goes first (queueWeight). */
  readonly weight: number
  /** Counts up: equals go in order of arrival. */
  readonly arrival: number
  /** ms of the pool's clock. */
  readonly deadline: number
}

/** 0 for `fcfs`. `wspt`, weighted shortest processing time: short uncached prompts and high priorities first. */
export function queueWeight(policy: 'fcfs' | 'wspt', priority: number, uncachedTokens: number): number {
  return policy === 'fcfs' ? 0 : (1 + Math.max(0, priority)) / Math.max(1, uncachedTokens)
}

/** Below 0 when `a` goes first. */
function queueOrder(a: Waiting, b: Waiting): number {
  return b.priority - a.priority || b.weight - a.weight || a.arrival - b.arrival
}

/** Inserts at its place. */
export function enqueue<W extends Waiting>(queue: W[], entry: W): void {
  let low = 0
  let high = queue.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (queueOrder(queue[middle]!, entry) < 0) low = middle + 1
    else high = middle
  }
  queue.splice(low, 0, entry)
}

/** Takes those out whose deadline has come. */
export function expire<W extends Waiting>(queue: W[], now: number): W[] {
  const late = queue.filter((entry) => entry.deadline <= now)
  for (const entry of late) queue.splice(queue.indexOf(entry), 1)
  return late
}

/** The next deadline; Infinity when nobody waits. */
export function nextDeadline(queue: readonly Waiting[]): number {
  let next = Number.POSITIVE_INFINITY
  for (const { deadline } of queue) if (deadline < next) next = deadline
  return next
}
