// The blocks of the fast index: 20 bytes each in pages of 16,384, so that growing copies nothing and shrinking gives whole pages back.
// A chain that is stored in one go gets neighbouring numbers: whoever walks it tries the next number before asking a table.

export const pageBits = 14
export const pageNodes = 1 << pageBits
export const pageMask = pageNodes - 1
/** Words of a node: chained hash (low, high), the engine's name (low, high), the slots that hold it on the device. */
export const nodeWords = 5
export const hashWord = 0
export const nameWord = 2
export const deviceWord = 4
/** 1 GB. Beyond it the entries of table.ts have no bits left. */
const maxNodes = 2 ** 25 - 2

interface Page {
  readonly words: Int32Array
  /** Nodes below it have been in use; the freed ones among them are linked by their first word, -1 at the end. */
  fresh: number
  freed: number
  free: number
}

/** Numbers of nodes, given out and taken back. What is in a node is the caller's. */
export class Nodes {
  /** The words of each page: `pages[node >>> pageBits][(node & pageMask) * nodeWords + word]`. */
  readonly pages: Int32Array[] = []
  live = 0
  private readonly states: Page[] = []
  private current = 0

  get capacity(): number {
    return this.pages.length * pageNodes
  }

  get bytes(): number {
    return this.capacity * nodeWords * 4
  }

  word(node: number, word: number): number {
    return this.pages[node >>> pageBits]![(node & pageMask) * nodeWords + word]!
  }

  set(node: number, word: number, value: number): void {
    this.pages[node >>> pageBits]![(node & pageMask) * nodeWords + word] = value
  }

  /** A node with no slots, or -1 when there can be no more. */
  take(): number {
    let page = this.states[this.current]
    if (page === undefined || page.free === 0) {
      this.current = this.states.findIndex((state) => state.free > 0)
      if (this.current < 0) this.addPage()
      page = this.states[this.current]
      if (page === undefined) return -1
    }
    page.free--
    this.live++
    let index = page.freed
    if (index < 0) index = page.fresh++
    else page.freed = page.words[index * nodeWords]!
    return (this.current << pageBits) | index
  }

  /** The caller has emptied its device word. */
  give(node: number): void {
    const page = this.states[node >>> pageBits]!
    const index = node & pageMask
    page.words[index * nodeWords] = page.freed
    page.freed = index
    page.free++
    this.live--
  }

  /** True when the last page is better given back: the others have room for all it holds, and some to spare. */
  isSparse(): boolean {
    return this.capacity - this.live > 2 * pageNodes + (this.live >> 3)
  }

  /** Gives the last page back after `move(from, to)` was called for each node in it that `isLive`. */
  dropLastPage(isLive: (node: number) => boolean, move: (from: number, to: number) => void): void {
    const last = this.states.length - 1
    const page = this.states[last]!
    const wasLive = pageNodes - page.free
    page.free = 0
    if (this.current === last) this.current = 0
    for (let index = 0; index < page.fresh; index++) {
      const from = (last << pageBits) | index
      if (!isLive(from)) continue
      const to = this.take()
      this.pages[to >>> pageBits]!.set(page.words.subarray(index * nodeWords, (index + 1) * nodeWords), (to & pageMask) * nodeWords)
      move(from, to)
    }
    this.live -= wasLive
    this.states.pop()
    this.pages.pop()
  }

  private addPage(): void {
    this.current = this.states.length
    if (this.capacity + pageNodes > maxNodes) return
    const words = new Int32Array(pageNodes * nodeWords)
    this.states.push({ words, fresh: 0, freed: -1, free: pageNodes })
    this.pages.push(words)
  }
}
