// Byte-pair merging over ids: always the pair with the lowest rank, the leftmost first. A scan for short words, a heap for long ones.

export interface Merges {
  /** Rank of joining two neighbours and the id that results; -1 rank when they do not join. */
  find(left: number, right: number): number
  /** The id of the pair with this slot (a result of `find`). */
  merged(slot: number): number
  /** The rank of the pair with this slot. */
  rank(slot: number): number
}

const noSlot = -1
const scanLimit = 48

/**
 * Open-addressing table of pairs. `pairs` has [left, right, merged] id triples in rank order; a pair that comes twice keeps its last rank,
 * as in HF tokenizers.
 */
export function mergeTable(pairs: Uint32Array): Merges {
  const count = pairs.length / 3
  let capacity = 16
  while (capacity < count * 2) capacity *= 2
  const mask = capacity - 1
  const lefts = new Uint32Array(capacity)
  const rights = new Uint32Array(capacity)
  const ids = new Uint32Array(capacity)
  const ranks = new Int32Array(capacity).fill(noSlot)
  const home = (left: number, right: number) => {
    const h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca77)
    return (h ^ (h >>> 15)) & mask
  }
  for (let rank = 0; rank < count; rank++) {
    const left = pairs[rank * 3]!
    const right = pairs[rank * 3 + 1]!
    let slot = home(left, right)
    while (ranks[slot] !== noSlot && (lefts[slot] !== left || rights[slot] !== right)) slot = (slot + 1) & mask
    lefts[slot] = left
    rights[slot] = right
    ids[slot] = pairs[rank * 3 + 2]!
    ranks[slot] = rank
  }
  return {
    find(left, right) {
      let slot = home(left, right)
      while (ranks[slot] !== noSlot) {
        if (lefts[slot] === left && rights[slot] === right) return slot
        slot = (slot + 1) & mask
      }
      return noSlot
    },
    merged: (slot) => ids[slot]!,
    rank: (slot) => ranks[slot]!,
  }
}

/** Merges `symbols[0..count)` in place and returns how many ids are left. */
export function merge(symbols: Uint32Array, count: number, merges: Merges): number {
  if (count <= scanLimit) return mergeByScan(symbols, count, merges)
  const steps = mergeSteps(symbols, count, merges)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

const slots = new Int32Array(scanLimit)

function mergeByScan(symbols: Uint32Array, length: number, merges: Merges): number {
  let count = length
  for (let i = 0; i + 1 < count; i++) slots[i] = merges.find(symbols[i]!, symbols[i + 1]!)
  for (;;) {
    let best = -1
    let lowest = 0x7fffffff
    for (let i = 0; i + 1 < count; i++) {
      const slot = slots[i]!
      if (slot === noSlot) continue
      const rank = merges.rank(slot)
      if (rank < lowest) [best, lowest] = [i, rank]
    }
    if (best < 0) return count
    symbols[best] = merges.merged(slots[best]!)
    count--
    for (let i = best + 1; i < count; i++) {
      symbols[i] = symbols[i + 1]!
      slots[i] = slots[i + 1]!
    }
    if (best > 0) slots[best - 1] = merges.find(symbols[best - 1]!, symbols[best]!)
    slots[best] = best + 1 < count ? merges.find(symbols[best]!, symbols[best + 1]!) : noSlot
  }
}

const stepsPerPause = 4096

/**
 * The same for long words, with a pause now and then in which the caller may let others run; `symbols` must stay untouched meanwhile.
 * Heap entries order by rank, then position; an entry is stale when its pair has changed since.
 */
export function* mergeSteps(symbols: Uint32Array, count: number, merges: Merges): Generator<void, number> {
  const next = new Int32Array(count)
  const previous = new Int32Array(count)
  const slotAt = new Int32Array(count).fill(noSlot)
  for (let i = 0; i < count; i++) {
    next[i] = i + 1 < count ? i + 1 : -1
    previous[i] = i - 1
  }
  // One number an entry: rank × 2^26 + position is exact up to 2^53 for ranks < 2^27 and words < 64 M symbols.
  const heap: number[] = []
  const offer = (at: number) => {
    const after = next[at]!
    const slot = after < 0 ? noSlot : merges.find(symbols[at]!, symbols[after]!)
    slotAt[at] = slot
    if (slot !== noSlot) pushHeap(heap, merges.rank(slot) * 67108864 + at)
  }
  for (let i = 0; i + 1 < count; i++) {
    offer(i)
    if (i % stepsPerPause === stepsPerPause - 1) yield
  }
  for (let step = 1; heap.length > 0; step++) {
    if (step % stepsPerPause === 0) yield
    const entry = popHeap(heap)
    const rank = Math.floor(entry / 67108864)
    const at = entry - rank * 67108864
    const slot = slotAt[at]!
    if (slot === noSlot || merges.rank(slot) !== rank) continue
    const gone = next[at]!
    symbols[at] = merges.merged(slot)
    slotAt[gone] = noSlot
    next[at] = next[gone]!
    if (next[at]! >= 0) previous[next[at]!] = at
    offer(at)
    if (previous[at]! >= 0) offer(previous[at]!)
  }
  let kept = 0
  for (let at = 0; at >= 0; at = next[at]!) symbols[kept++] = symbols[at]!
  return kept
}

function pushHeap(heap: number[], value: number): void {
  let at = heap.push(value) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]! <= value) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = value
}

function popHeap(heap: number[]): number {
  const top = heap[0]!
  const last = heap.pop()!
  const size = heap.length
  if (size === 0) return top
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= size) break
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= last) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return top
}
