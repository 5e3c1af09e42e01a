// Which slots were told of which blocks, and when: an open-addressing table with a record a block, in it the first slot; further slots in a list beside it.
// Nothing is deleted singly: whoever wants less copies what he keeps into a new one.

/** A record: hash (low, high), slot + 1 (0: empty), time, 1 + the entry of the next slot in `more` (0: none). An entry of `more`: slot, time, next. */
const recordWords = 5
const highWord = 1
const slotWord = 2
const timeWord = 3
const nextWord = 4
const moreWords = 3
const smallest = 256
const fullest = 0.7

export class Believed {
  blocks = 0
  /** Blocks × slots. */
  entries = 0
  private capacity: number
  private table: Int32Array
  private more = new Int32Array(32 * moreWords)
  private moreCount = 0

  /** Room for so many blocks before it has to grow. */
  constructor(room: number) {
    this.capacity = smallest
    while (this.capacity * fullest < room) this.capacity *= 2
    this.table = new Int32Array(this.capacity * recordWords)
  }

  get bytes(): number {
    return this.table.byteLength + this.more.byteLength
  }

  /** The slot has the block as of `time`, also if it had it before. */
  put(low: number, high: number, slot: number, time: number): void {
    if (this.blocks >= this.capacity * fullest) this.grow()
    const { table } = this
    const at = this.find(low, high)
    const owner = table[at + slotWord]!
    if (owner === 0) {
      table[at] = low
      table[at + highWord] = high
      table[at + slotWord] = slot + 1
      this.blocks++
      this.entries++
    }
    if (owner === 0 || owner === slot + 1) table[at + timeWord] = time
    else this.putMore(at, slot, time)
  }

  /** Adds 1 to the depth of the slots that stand at `from`, hold this block and were told of it after `since`; returns how many did. */
  advance(low: number, high: number, since: number, depth: Uint32Array, from: number): number {
    const { table, more } = this
    const at = this.find(low, high)
    const owner = table[at + slotWord]! - 1
    if (owner < 0) return 0
    let count = 0
    if (table[at + timeWord]! > since && depth[owner] === from) {
      depth[owner] = from + 1
      count++
    }
    for (let next = table[at + nextWord]!; next !== 0; ) {
      const entry = (next - 1) * moreWords
      const slot = more[entry]!
      if (more[entry + 1]! > since && depth[slot] === from) {
        depth[slot] = from + 1
        count++
      }
      next = more[entry + 2]!
    }
    return count
  }

  each(visit: (low: number, high: number, slot: number, time: number) => void): void {
    const { table, more } = this
    for (let at = 0; at < table.length; at += recordWords) {
      if (table[at + slotWord] === 0) continue
      visit(table[at]!, table[at + highWord]!, table[at + slotWord]! - 1, table[at + timeWord]!)
      for (let next = table[at + nextWord]!; next !== 0; ) {
        const entry = (next - 1) * moreWords
        visit(table[at]!, table[at + highWord]!, more[entry]!, more[entry + 1]!)
        next = more[entry + 2]!
      }
    }
  }

  /** Where the record of a hash is, or the empty one where it belongs. */
  private find(low: number, high: number): number {
    const { table } = this
    const mask = this.capacity - 1
    for (let index = (low ^ (high >>> 7)) & mask; ; index = (index + 1) & mask) {
      const at = index * recordWords
      if (table[at + slotWord] === 0 || (table[at] === low && table[at + highWord] === high)) return at
    }
  }

  private putMore(at: number, slot: number, time: number): void {
    let last = -1
    for (let next = this.table[at + nextWord]!; next !== 0; ) {
      last = (next - 1) * moreWords
      if (this.more[last] === slot) {
        this.more[last + 1] = time
        return
      }
      next = this.more[last + 2]!
    }
    const entry = this.moreCount * moreWords
    if (entry === this.more.length) {
      const grown = new Int32Array(2 * this.more.length)
      grown.set(this.more)
      this.more = grown
    }
    this.more[entry] = slot
    this.more[entry + 1] = time
    this.moreCount++
    this.entries++
    if (last < 0) this.table[at + nextWord] = this.moreCount
    else this.more[last + 2] = this.moreCount
  }

  /** Only records move; the lists stay. */
  private grow(): void {
    const old = this.table
    this.capacity *= 2
    this.table = new Int32Array(this.capacity * recordWords)
    for (let at = 0; at < old.length; at += recordWords)
      if (old[at + slotWord] !== 0) this.table.set(old.subarray(at, at + recordWords), this.find(old[at]!, old[at + highWord]!))
  }
}
