// Sets of slots, one 32-bit word each, 0 when empty. Up to 32 slots: a bit mask. Beyond: two slots in the word, else where a list or a bit set is.

/** Slots that a word can name. */
export const maxSlots = 0x7ffe
/** A wide word from 0 up is slot + 1 in its low bits and another slot + 1, or 0, above them. */
export const slotMask = 0x7fff
export const slotBits = 15
/** A wide word below 0 is `kind << 29 | index`; kinds 0 to 2 are lists, 3 a bit set. */
const indexMask = 2 ** 29 - 1
const listLengths = [4, 8, 16] as const
const bitSet = 3

type ListKind = 0 | 1 | 2

/** Records of one length with a list of free ones. The words of the records in use are the owner's to know. */
class Pool {
  readonly stride: number
  data: Int32Array
  private count = 0
  private readonly free: number[] = []

  constructor(stride: number) {
    this.stride = stride
    this.data = new Int32Array(0)
  }

  get used(): number {
    return this.count - this.free.length
  }

  get isSparse(): boolean {
    return this.count > 4096 && this.free.length > 0.75 * this.count
  }

  /** An empty record. */
  take(): number {
    const index = this.free.pop() ?? this.count++
    if (this.count * this.stride > this.data.length) {
      const data = new Int32Array(Math.max(64, Math.ceil(this.count * 1.25)) * this.stride)
      data.set(this.data)
      this.data = data
    }
    return index
  }

  give(index: number): void {
    this.data.fill(0, index * this.stride, (index + 1) * this.stride)
    this.free.push(index)
  }
}

/** The sets' contents. A word belongs to one owner, who stores what `add` and `remove` return in its stead. */
export class Places {
  /** False: every word is a mask of 32 slots. */
  wide = false
  /** Words of a bit set: its count of slots, then its bits. */
  private bitWords = 17
  private lists = makeLists()
  private bits = new Pool(this.bitWords)

  get bytes(): number {
    return this.lists.reduce((sum, list) => sum + list.data.byteLength, this.bits.data.byteLength)
  }

  /** True when most records are free: time for `repack`. */
  get isSparse(): boolean {
    return this.bits.isSparse || this.lists.some((list) => list.isSparse)
  }

  has(word: number, slot: number): boolean {
    if (!this.wide) return slot < 32 && (word & (1 << slot)) !== 0
    if (word >= 0) return (word & slotMask) === slot + 1 || word >>> slotBits === slot + 1
    const kind = (word >>> 29) & 3
    const index = word & indexMask
    if (kind === bitSet)
      return slot < 32 * (this.bitWords - 1) && (this.bits.data[index * this.bitWords + 1 + (slot >>> 5)]! & (1 << (slot & 31))) !== 0
    for (let i = 0, at = index * listLengths[kind as ListKind], end = listLengths[kind as ListKind]; i < end; i++)
      if (this.listed(kind as ListKind, at + i) === slot + 1) return true
    return false
  }

  /** The word of the set with `slot`, which it did not have. `slot` is below 32 unless `wide`. */
  add(word: number, slot: number): number {
    if (!this.wide) return word | (1 << slot)
    if (word >= 0) {
      if (word === 0) return slot + 1
      if (word <= slotMask) return word | ((slot + 1) << slotBits)
      return this.make(0, [(word & slotMask) - 1, (word >>> slotBits) - 1, slot])
    }
    const kind = (word >>> 29) & 3
    const index = word & indexMask
    if (kind === bitSet) {
      this.setBit(index, slot)
      return word
    }
    const length = listLengths[kind as ListKind]
    for (let at = index * length; at < (index + 1) * length; at++)
      if (this.listed(kind as ListKind, at) === 0) {
        this.list(kind as ListKind, at, slot + 1)
        return word
      }
    const slots = [...this.slotsOf(word), slot]
    this.drop(word)
    return this.make(kind + 1, slots)
  }

  /** The word of the set without `slot`, which it had. */
  remove(word: number, slot: number): number {
    if (!this.wide) return word & ~(1 << slot)
    if (word >= 0) return (word & slotMask) === slot + 1 ? word >>> slotBits : word & slotMask
    const left = this.slotsOf(word).filter((other) => other !== slot)
    const kind = (word >>> 29) & 3
    if (kind === bitSet && left.length > 12) {
      const at = (word & indexMask) * this.bitWords
      this.bits.data[at]!--
      this.bits.data[at + 1 + (slot >>> 5)]! &= ~(1 << (slot & 31))
      return word
    }
    this.drop(word)
    return this.wordOf(left)
  }

  /** The slots of a set. */
  slotsOf(word: number): number[] {
    const slots: number[] = []
    if (!this.wide) {
      for (let left = word; left !== 0; left &= left - 1) slots.push(31 - Math.clz32(left & -left))
    } else if (word >= 0) {
      if (word !== 0) slots.push((word & slotMask) - 1)
      if (word > slotMask) slots.push((word >>> slotBits) - 1)
    } else if (((word >>> 29) & 3) === bitSet) {
      const at = (word & indexMask) * this.bitWords + 1
      for (let i = 0; i < this.bitWords - 1; i++)
        for (let left = this.bits.data[at + i]!; left !== 0; left &= left - 1) slots.push(32 * i + 31 - Math.clz32(left & -left))
    } else {
      const kind = ((word >>> 29) & 3) as ListKind
      const length = listLengths[kind]
      for (let at = (word & indexMask) * length; at < ((word & indexMask) + 1) * length; at++) {
        const entry = this.listed(kind, at)
        if (entry !== 0) slots.push(entry - 1)
      }
    }
    return slots
  }

  /** True for a wide word that is a bit set: `and` can be used on it. */
  isBits(word: number): boolean {
    return word < 0 && ((word >>> 29) & 3) === bitSet
  }

  /** Words of a bit set's bits. */
  get maskWords(): number {
    return this.bitWords - 1
  }

  /** Adds 1 to `depth` of those members that stand at `from`; returns how many did. For wide words below 0. */
  advance(word: number, depth: Uint32Array, from: number): number {
    let count = 0
    if (this.isBits(word)) {
      for (const slot of this.slotsOf(word))
        if (depth[slot] === from) {
          depth[slot] = from + 1
          count++
        }
      return count
    }
    const kind = ((word >>> 29) & 3) as ListKind
    const length = listLengths[kind]
    for (let at = (word & indexMask) * length, end = at + length; at < end; at++) {
      const slot = this.listed(kind, at) - 1
      if (slot >= 0 && depth[slot] === from) {
        depth[slot] = from + 1
        count++
      }
    }
    return count
  }

  /** Keeps in `mask` what the bit set has; members that fall out get `depth`; returns whether any are left. */
  and(word: number, mask: Int32Array, depth: Uint32Array, at: number): boolean {
    const from = (word & indexMask) * this.bitWords + 1
    let left = 0
    for (let i = 0; i < mask.length; i++) {
      const before = mask[i]!
      const after = before & this.bits.data[from + i]!
      left |= after
      if (after === before) continue
      mask[i] = after
      for (let out = before ^ after; out !== 0; out &= out - 1) depth[32 * i + 31 - Math.clz32(out & -out)] = at
    }
    return left !== 0
  }

  /** From now on words are wide; `each` has to put every word through the function it gets. */
  widen(each: (convert: (word: number) => number) => void): void {
    const masks = (mask: number): number[] => {
      const slots: number[] = []
      for (let left = mask; left !== 0; left &= left - 1) slots.push(31 - Math.clz32(left & -left))
      return slots
    }
    this.wide = true
    each((mask) => this.wordOf(masks(mask)))
  }

  /** Moves every set into new, full pools with room for slots up to `highest`; `each` as in `widen`. */
  repack(highest: number, each: (convert: (word: number) => number) => void): void {
    const old = new Places()
    Object.assign(old, { wide: this.wide, bitWords: this.bitWords, lists: this.lists, bits: this.bits })
    this.bitWords = Math.max(this.bitWords, 1 + 16 * Math.ceil((highest + 1) / 512))
    this.lists = makeLists()
    this.bits = new Pool(this.bitWords)
    each((word) => (word >= 0 ? word : this.wordOf(old.slotsOf(word))))
  }

  private wordOf(slots: number[]): number {
    if (slots.length === 0) return 0
    if (slots.length === 1) return slots[0]! + 1
    if (slots.length === 2) return (slots[0]! + 1) | ((slots[1]! + 1) << slotBits)
    return this.make(slots.length <= 4 ? 0 : slots.length <= 8 ? 1 : slots.length <= 16 ? 2 : bitSet, slots)
  }

  private make(kind: number, slots: readonly number[]): number {
    const pool = kind === bitSet ? this.bits : this.lists[kind as ListKind]
    const index = pool.take()
    slots.forEach((slot, i) => {
      if (kind === bitSet) this.setBit(index, slot)
      else this.list(kind as ListKind, index * listLengths[kind as ListKind] + i, slot + 1)
    })
    return (1 << 31) | (kind << 29) | index
  }

  private drop(word: number): void {
    const kind = (word >>> 29) & 3
    ;(kind === bitSet ? this.bits : this.lists[kind as ListKind]).give(word & indexMask)
  }

  private setBit(index: number, slot: number): void {
    this.bits.data[index * this.bitWords]!++
    this.bits.data[index * this.bitWords + 1 + (slot >>> 5)]! |= 1 << (slot & 31)
  }

  /** Entry `at` of a list pool: half a word. */
  private listed(kind: ListKind, at: number): number {
    return (this.lists[kind].data[at >>> 1]! >>> (16 * (at & 1))) & 0xffff
  }

  private list(kind: ListKind, at: number, entry: number): void {
    const shift = 16 * (at & 1)
    const word = this.lists[kind].data[at >>> 1]!
    this.lists[kind].data[at >>> 1] = (word & ~(0xffff << shift)) | (entry << shift)
  }
}

/** Entries are half words. */
function makeLists(): [Pool, Pool, Pool] {
  return [new Pool(listLengths[0] / 2), new Pool(listLengths[1] / 2), new Pool(listLengths[2] / 2)]
}
