// Trains byte-pair merges. Deterministic: ties go to the pair whose parts come first in the vocabulary (HF's trainer and its
// alphabet have a random order).

export interface Trained {
  vocab: Map<string, number>
  merges: [string, string][]
}

/**
 * Adds merges of the commonest adjacent pair until the vocabulary has `size` entries.
 * @param words each split into its first symbols; all symbols are in `alphabet`
 * @param firstId of the alphabet's first symbol
 */
export function trainBpe(words: readonly string[][], alphabet: readonly string[], firstId: number, size: number): Trained {
  const vocab = new Map(alphabet.map((symbol, i) => [symbol, firstId + i]))
  const names = new Map([...vocab].map(([symbol, id]) => [id, symbol]))
  const counts = new Map<string, { ids: number[]; count: number }>()
  for (const word of words) {
    const key = word.join('\0')
    const entry = counts.get(key)
    if (entry) entry.count++
    else counts.set(key, { ids: word.map((symbol) => vocab.get(symbol)!), count: 1 })
  }
  const merges: [string, string][] = []
  while (firstId + vocab.size < size) {
    const pair = commonest(counts.values())
    if (!pair) throw new Error(`the corpus is too small: ${firstId + vocab.size} of ${size} tokens`)
    const [left, right] = pair
    const merged = names.get(left)! + names.get(right)!
    const id = vocab.get(merged) ?? firstId + vocab.size
    merges.push([names.get(left)!, names.get(right)!])
    vocab.set(merged, id)
    names.set(id, merged)
    for (const entry of counts.values()) entry.ids = replacePair(entry.ids, left, right, id)
  }
  return { vocab, merges }
}

function commonest(words: Iterable<{ ids: number[]; count: number }>): [number, number] | undefined {
  const pairs = new Map<number, number>()
  for (const { ids, count } of words)
    for (let i = 1; i < ids.length; i++) {
      const key = ids[i - 1]! * 65536 + ids[i]!
      pairs.set(key, (pairs.get(key) ?? 0) + count)
    }
  let best = -1
  let most = 0
  for (const [key, count] of pairs) if (count > most || (count === most && key < best)) [best, most] = [key, count]
  return best < 0 ? undefined : [Math.floor(best / 65536), best % 65536]
}

function replacePair(ids: number[], left: number, right: number, merged: number): number[] {
  const out: number[] = []
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      out.push(merged)
      i++
    } else out.push(ids[i]!)
  }
  return out
}
