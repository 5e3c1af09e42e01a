// Words and their ids, for the hot path: like cache.ts two generations, but the ids of all words lie in one array, so that a hundred
// thousand words are not a hundred thousand small objects.
import { type IdBuffer, idBuffer, reserve } from './id-buffer.ts'

export interface WordCache {
  /** Appends the ids of a known word to `out`; false when it is not known. */
  append(word: string, out: IdBuffer): boolean
  /** Remembers `ids[0..count)`, count below 256. The key is kept: pass a flat string. */
  set(word: string, ids: Uint32Array, count: number): void
}

interface Generation {
  /** Where in `ids` the word's ids are, times 256, plus their count. */
  places: Map<string, number>
  ids: IdBuffer
  bytes: number
}

/** What an entry costs besides its characters and ids: the string, its share of the table, what the collector leaves (measured). */
const entryBytes = 256

export function wordCache(maxBytes: number): WordCache {
  const fresh = (): Generation => ({ places: new Map(), ids: idBuffer(256), bytes: 0 })
  let young = fresh()
  let old = fresh()

  function set(word: string, ids: Uint32Array, count: number): void {
    const bytes = entryBytes + word.length + count * 4
    if (young.bytes + bytes > maxBytes / 2) {
      old = young
      young = fresh()
    }
    const store = young.ids
    reserve(store, count)
    for (let i = 0; i < count; i++) store.ids[store.length + i] = ids[i]!
    young.places.set(word, store.length * 256 + count)
    store.length += count
    young.bytes += bytes
  }

  return {
    set,
    append(word, out) {
      let from = young
      let place = young.places.get(word)
      if (place === undefined) {
        from = old
        place = old.places.get(word)
        if (place === undefined) return false
      }
      const count = place & 255
      const start = (place - count) / 256
      const ids = from.ids.ids
      if (out.length + count > out.ids.length) reserve(out, count)
      for (let i = 0; i < count; i++) out.ids[out.length++] = ids[start + i]!
      if (from === old) set(word, ids.subarray(start, start + count), count)
      return true
    },
  }
}
