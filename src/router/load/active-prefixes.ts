// What blocks the running requests hold, per slot, shared ones once: a radix tree over chained block hashes whose nodes count requests by slot.
// A chained hash names everything before it, so two chains agree up to one point and no further: an edge is compared by halving, never block by block.
import type { HashPairs } from '../../lib/block-hash.ts'

/** An edge `chain[start..end)` (in blocks) and the requests that run through it. Where a request ends, its node is its handle. */
export class PrefixNode {
  parent: PrefixNode | undefined
  readonly chain: HashPairs
  start: number
  readonly end: number
  readonly children = new Map<number, PrefixNode>()
  /** slot → requests */
  readonly requests = new Map<number, number>()
  total = 0

  constructor(parent: PrefixNode | undefined, chain: HashPairs, start: number, end: number) {
    this.parent = parent
    this.chain = chain
    this.start = start
    this.end = end
  }
}

export class ActivePrefixes {
  private readonly root = new PrefixNode(undefined, new Uint32Array(0), 0, 0)
  /** Blocks that the last `add` or `remove` changed on its slot. */
  changed = 0

  /** A request with this chain runs on `slot`; undefined for an empty chain. `changed` is how many blocks are new there. The chain is kept. */
  add(slot: number, chain: HashPairs): PrefixNode | undefined {
    const blocks = chain.length / 2
    this.changed = 0
    let node = this.root
    let at = 0
    while (at < blocks) {
      const key = keyAt(chain, at)
      let child = node.children.get(key)
      if (child === undefined) {
        child = new PrefixNode(node, chain, at, blocks)
        node.children.set(key, child)
      } else {
        const same = common(child, chain, blocks)
        if (same < child.end) child = split(child, same)
      }
      const before = child.requests.get(slot) ?? 0
      if (before === 0) this.changed += child.end - child.start
      child.requests.set(slot, before + 1)
      child.total++
      at = child.end
      node = child
    }
    return node === this.root ? undefined : node
  }

  /** The request that `add` gave this node for is over; `changed` is how many blocks nobody on `slot` holds any more. */
  remove(slot: number, node: PrefixNode): void {
    this.changed = 0
    let here: PrefixNode | undefined = node
    while (here !== undefined && here !== this.root) {
      const parent: PrefixNode = here.parent!
      const left = here.requests.get(slot)! - 1
      if (left === 0) {
        here.requests.delete(slot)
        this.changed += here.end - here.start
      } else here.requests.set(slot, left)
      here.total--
      if (here.total === 0) parent.children.delete(keyAt(here.chain, here.start))
      else if (here.children.size === 1) joinOnlyChild(here)
      here = parent
    }
  }

  /** Writes to `depths[slot]` how many leading blocks of `chain` requests on that slot hold. */
  depths(chain: HashPairs, depths: Uint32Array): void {
    depths.fill(0)
    const blocks = chain.length / 2
    let node = this.root
    let at = 0
    while (at < blocks) {
      const child = node.children.get(keyAt(chain, at))
      if (child === undefined) return
      at = common(child, chain, blocks)
      for (const slot of child.requests.keys()) if (slot < depths.length) depths[slot] = at
      if (at < child.end) return
      node = child
    }
  }

  /** Nodes in the tree: 0 when nothing runs. */
  get size(): number {
    let count = 0
    const visit = (node: PrefixNode) => {
      for (const child of node.children.values()) {
        count++
        visit(child)
      }
    }
    visit(this.root)
    return count
  }
}

/** 53 of the hash's bits as a number. */
function keyAt(chain: HashPairs, block: number): number {
  return chain[2 * block]! + (chain[2 * block + 1]! & 0x1f_ffff) * 0x1_0000_0000
}

/** Where `chain` leaves the node's edge: a position after its start, at most its end. */
function common(node: PrefixNode, chain: HashPairs, blocks: number): number {
  const theirs = node.chain
  const last = Math.min(node.end, blocks)
  if (theirs[2 * last - 2] === chain[2 * last - 2] && theirs[2 * last - 1] === chain[2 * last - 1]) return last
  // The block at `same - 1` agrees, the one at `other` does not.
  let same = node.start + 1
  let other = last - 1
  while (same < other) {
    const middle = (same + other) >> 1
    if (theirs[2 * middle] === chain[2 * middle] && theirs[2 * middle + 1] === chain[2 * middle + 1]) same = middle + 1
    else other = middle
  }
  return same
}

/** Cuts the edge at `at`; the lower part keeps the node, so that handles stay good. Returns the upper one. */
function split(node: PrefixNode, at: number): PrefixNode {
  const parent = node.parent!
  const upper = new PrefixNode(parent, node.chain, node.start, at)
  for (const [slot, count] of node.requests) upper.requests.set(slot, count)
  upper.total = node.total
  parent.children.set(keyAt(node.chain, node.start), upper)
  node.parent = upper
  node.start = at
  upper.children.set(keyAt(node.chain, at), node)
  return upper
}

/** Where every request goes on into the only child, the two edges become one: the child's. */
function joinOnlyChild(node: PrefixNode): void {
  for (const child of node.children.values()) {
    if (child.total !== node.total) return
    const parent = node.parent!
    child.start = node.start
    child.parent = parent
    parent.children.set(keyAt(child.chain, child.start), child)
  }
}
