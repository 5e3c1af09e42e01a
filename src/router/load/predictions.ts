// What a rank was sent lately and so holds or will hold soon: bridges the time until its events tell, and is all that is known of a rank without events.
// A rank's newest prompts count, for a time, up to as many blocks as its cache has.
import type { HashPairs } from '../../lib/block-hash.ts'
import { ActivePrefixes, type PrefixNode } from './active-prefixes.ts'

export interface Prediction {
  readonly slot: number
  /** Blocks of its chain, which is kept as long as it. */
  readonly blocks: number
  readonly until: number
  /** Undefined once it is over. */
  node: PrefixNode | undefined
}

/** Predictions of one slot, oldest first; those before `head` are over. */
interface Line {
  readonly list: Prediction[]
  head: number
  /** Different blocks of all of them. */
  blocks: number
}

export class Predictions {
  private readonly tree = new ActivePrefixes()
  private readonly lines = new Map<number, Line>()
  private readonly mostKept: number
  private kept = 0

  /** `mostKept`: blocks of all kept prompts, 8 bytes each; beyond, the rank that has most gives up its oldest. */
  constructor(mostKept = 4_194_304) {
    this.mostKept = mostKept
  }

  /** The slot was sent this prompt. `capacity`: blocks of its cache. The chain is kept. */
  add(slot: number, chain: HashPairs, until: number, capacity: number): Prediction | undefined {
    const node = this.tree.add(slot, chain)
    if (node === undefined) return undefined
    let line = this.lines.get(slot)
    if (line === undefined) {
      line = { list: [], head: 0, blocks: 0 }
      this.lines.set(slot, line)
    }
    line.blocks += this.tree.changed
    const prediction: Prediction = { slot, blocks: chain.length / 2, until, node }
    line.list.push(prediction)
    this.kept += prediction.blocks
    while (line.blocks > capacity && line.list.length - line.head > 1) this.dropOldest(line)
    while (this.kept > this.mostKept) this.dropOldest(this.longest())
    return prediction
  }

  /** It came to nothing: the request ended before its prompt was computed. */
  drop(prediction: Prediction): void {
    const { node, slot } = prediction
    if (node === undefined) return
    prediction.node = undefined
    this.kept -= prediction.blocks
    this.tree.remove(slot, node)
    this.lines.get(slot)!.blocks -= this.tree.changed
  }

  /** Writes to `depths[slot]` how many leading blocks of `chain` each slot was sent. */
  depths(chain: HashPairs, now: number, depths: Uint32Array): void {
    for (const line of this.lines.values()) this.expire(line, now)
    this.tree.depths(chain, depths)
  }

  /** The slot's worker is gone, or its cache was emptied. */
  forget(slot: number): void {
    const line = this.lines.get(slot)
    if (line === undefined) return
    while (line.head < line.list.length) this.dropOldest(line)
    this.lines.delete(slot)
  }

  /** Blocks of the prompts that are kept. */
  get keptBlocks(): number {
    return this.kept
  }

  private expire(line: Line, now: number): void {
    for (;;) {
      const oldest = line.list[line.head]
      if (oldest === undefined || (oldest.node !== undefined && now < oldest.until)) return
      this.dropOldest(line)
    }
  }

  private dropOldest(line: Line): void {
    this.drop(line.list[line.head++]!)
    if (line.head < 64 || line.head < line.list.length / 2) return
    line.list.splice(0, line.head)
    line.head = 0
  }

  private longest(): Line {
    let longest: Line | undefined
    for (const line of this.lines.values())
      if (longest === undefined || line.list.length - line.head > longest.list.length - longest.head) longest = line
    return longest!
  }
}
