// A cache bounded by bytes, for the hot path: two generations of a Map instead of a linked list. A hit in the young one costs one
// look-up; when the young one has filled half the budget it becomes the old one, and what the old one still held is dropped.

export interface GenerationCache<V> {
  get(key: string): V | undefined
  /** `bytes` is the caller's estimate for key and value. The key is kept: pass a flat string, not a slice of a long one. */
  set(key: string, value: V, bytes: number): void
  readonly bytes: number
}

/** Makes a cache that holds at most about `maxBytes`; an entry used within the last half of it survives. */
export function generationCache<V>(maxBytes: number): GenerationCache<V> {
  let young = new Map<string, V>()
  let old = new Map<string, V>()
  // Sizes of old entries are not kept one by one: promoting one charges the average.
  let youngBytes = 0
  let oldBytes = 0
  let oldAverage = 0

  function put(key: string, value: V, bytes: number): void {
    if (youngBytes + bytes > maxBytes / 2) {
      old = young
      oldBytes = youngBytes
      oldAverage = young.size > 0 ? youngBytes / young.size : 0
      young = new Map()
      youngBytes = 0
    }
    young.set(key, value)
    youngBytes += bytes
  }

  return {
    get bytes() {
      return youngBytes + oldBytes
    },
    get(key) {
      const hit = young.get(key)
      if (hit !== undefined) return hit
      const aged = old.get(key)
      if (aged !== undefined) put(key, aged, oldAverage)
      return aged
    },
    set: put,
  }
}
