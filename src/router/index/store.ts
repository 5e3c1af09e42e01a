// The tables of the fast index together: nodes, the two ways to find one, and which slots hold it in which tier.
import { type Aliases, moveAliases } from './aliases.ts'
import { deviceWord, hashWord, Nodes, nameWord, nodeWords, pageBits, pageMask, pageNodes } from './nodes.ts'
import { Places } from './places.ts'
import { Table } from './table.ts'

/** 0 device, 1 host, 2 disk. */
export type TierNumber = 0 | 1 | 2

/** About what a name in the maps of aliases.ts takes. */
const aliasBytes = 200

export class Store {
  readonly nodes = new Nodes()
  readonly byHash = new Table(this.nodes, hashWord)
  readonly byName = new Table(this.nodes, nameWord)
  readonly places = new Places()
  /** Nodes whose name another node has in `byName`: only their slots' aliases lead to them. */
  nameless = 0
  /** Slots in a tier, over all nodes. */
  readonly inTier: [number, number, number] = [0, 0, 0]
  /** Of each slot: how many nodes it holds in any tier. */
  readonly held: number[] = []
  readonly aliases: (Aliases | undefined)[] = []
  /** Set words of the lower tiers by page; there from the first such block on. */
  private readonly lower: [Int32Array[] | undefined, Int32Array[] | undefined] = [undefined, undefined]
  private highest = 0

  get bytes(): number {
    const lowerPages = (this.lower[0]?.length ?? 0) + (this.lower[1]?.length ?? 0)
    let aliasCount = 0
    for (const aliases of this.aliases) aliasCount += aliases?.byName.size ?? 0
    return (
      this.nodes.bytes + this.byHash.bytes + this.byName.bytes + this.places.bytes + 4 * pageNodes * lowerPages + aliasBytes * aliasCount
    )
  }

  /** The slots that hold a node in a tier, as a word of `places`. */
  slotsWord(node: number, tier: TierNumber): number {
    if (tier === 0) return this.nodes.word(node, deviceWord)
    return this.lower[tier - 1]?.[Math.floor(node / pageNodes)]?.[node & pageMask] ?? 0
  }

  holds(node: number, slot: number, tier: TierNumber): boolean {
    return this.inTier[tier] > 0 && this.places.has(this.slotsWord(node, tier), slot)
  }

  holdsAny(node: number, slot: number): boolean {
    return this.holds(node, slot, 0) || this.holds(node, slot, 1) || this.holds(node, slot, 2)
  }

  /** A new node without slots; -1 when the index is full. `taken`: `byName` has this name for another node. */
  make(hashLow: number, hashHigh: number, nameLow: number, nameHigh: number, taken: boolean): number {
    const { nodes } = this
    const node = nodes.take()
    if (node < 0) return -1
    const words = nodes.pages[node >>> pageBits]!
    const at = (node & pageMask) * nodeWords
    words[at + hashWord] = hashLow
    words[at + hashWord + 1] = hashHigh
    words[at + nameWord] = nameLow
    words[at + nameWord + 1] = nameHigh
    this.byHash.add(node)
    if (taken) this.nameless++
    else this.byName.add(node)
    return node
  }

  /** Does nothing when the slot holds it there already. */
  hold(node: number, slot: number, tier: TierNumber): void {
    this.makeRoom(slot)
    const word = this.slotsWord(node, tier)
    if (word !== 0 && this.places.has(word, slot)) return
    if (!this.holdsAny(node, slot)) this.held[slot] = (this.held[slot] ?? 0) + 1
    this.inTier[tier]++
    this.setSlotsWord(node, tier, this.places.add(word, slot))
  }

  /** Does nothing when the slot does not hold it there. A node that nobody holds any more is gone: its number may be another's after `tidy`. */
  release(node: number, slot: number, tier: TierNumber): void {
    const word = this.slotsWord(node, tier)
    if (!this.places.has(word, slot)) return
    this.inTier[tier]--
    this.setSlotsWord(node, tier, this.places.remove(word, slot))
    if (this.holdsAny(node, slot)) return
    this.held[slot]!--
    if (!this.isLive(node)) this.free(node)
  }

  /** Takes everything from a slot. Looks at every node: some milliseconds for a million. */
  clear(slot: number): void {
    const { pages } = this.nodes
    for (let page = 0; page < pages.length && this.held[slot]; page++) {
      const words = pages[page]!
      for (let index = 0; index < pageNodes; index++) {
        const word = words[index * nodeWords + deviceWord]!
        if (word !== 0 && this.places.has(word, slot)) this.release((page << pageBits) | index, slot, 0)
      }
    }
    for (const tier of [1, 2] as const)
      for (let node = 0; node < this.nodes.capacity && this.held[slot]; node++)
        if (this.holds(node, slot, tier)) this.release(node, slot, tier)
    this.aliases[slot] = undefined
  }

  /** Gives memory back when much of it is free. Numbers of nodes do not survive it. */
  tidy(): void {
    while (this.nodes.isSparse()) {
      this.nodes.dropLastPage(
        (node) => this.isLive(node),
        (from, to) => this.moved(from, to),
      )
      for (const pages of this.lower)
        if (pages !== undefined && pages.length > this.nodes.pages.length) pages.length = this.nodes.pages.length
    }
    for (const tier of [1, 2] as const) if (this.inTier[tier] === 0) this.lower[tier - 1] = undefined
    if (this.places.isSparse) this.places.repack(this.highest, (convert) => this.eachWord(convert))
  }

  isLive(node: number): boolean {
    return this.slotsWord(node, 0) !== 0 || this.slotsWord(node, 1) !== 0 || this.slotsWord(node, 2) !== 0
  }

  private setSlotsWord(node: number, tier: TierNumber, word: number): void {
    if (tier === 0) {
      this.nodes.set(node, deviceWord, word)
      return
    }
    let pages = this.lower[tier - 1]
    if (pages === undefined) {
      pages = []
      this.lower[tier - 1] = pages
    }
    const page = Math.floor(node / pageNodes)
    while (pages.length <= page) pages.push(new Int32Array(pageNodes))
    pages[page]![node & pageMask] = word
  }

  private free(node: number): void {
    this.byHash.remove(node)
    if (!this.byName.remove(node)) this.nameless--
    this.nodes.give(node)
  }

  private moved(from: number, to: number): void {
    this.byHash.move(from, to)
    this.byName.move(from, to)
    for (const tier of [1, 2] as const) {
      const word = this.slotsWord(from, tier)
      if (word === 0) continue
      this.setSlotsWord(to, tier, word)
      this.setSlotsWord(from, tier, 0)
    }
    for (const aliases of this.aliases) if (aliases !== undefined) moveAliases(aliases, from, to)
  }

  /** Words that can hold this slot. */
  private makeRoom(slot: number): void {
    if (slot <= this.highest) return
    this.highest = slot
    if (slot >= 32 && !this.places.wide) this.places.widen((convert) => this.eachWord(convert))
    if (slot >= 32 * this.places.maskWords) this.places.repack(slot, (convert) => this.eachWord(convert))
  }

  private eachWord(convert: (word: number) => number): void {
    for (let node = 0; node < this.nodes.capacity; node++)
      for (const tier of [0, 1, 2] as const) {
        const word = this.slotsWord(node, tier)
        if (word !== 0) this.setSlotsWord(node, tier, convert(word))
      }
  }
}
