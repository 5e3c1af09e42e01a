import { describe, expect, test } from 'bun:test'
import { chainHashes, localHashes } from '../../../src/lib/block-hash.ts'
import { ActivePrefixes, type PrefixNode } from '../../../src/router/load/active-prefixes.ts'

/** One block per letter. */
const chainOf = (text: string) =>
  chainHashes(
    localHashes(
      Uint32Array.from(text, (letter) => letter.charCodeAt(0)),
      1,
    ),
  )

/** The plain twin: a count per block and slot. */
class Counts {
  private readonly bySlot = new Map<number, Map<string, number>>()
  add(slot: number, text: string): void {
    const counts = this.of(slot)
    for (let end = 1; end <= text.length; end++) counts.set(text.slice(0, end), (counts.get(text.slice(0, end)) ?? 0) + 1)
  }
  remove(slot: number, text: string): void {
    const counts = this.of(slot)
    for (let end = 1; end <= text.length; end++) {
      const left = counts.get(text.slice(0, end))! - 1
      if (left === 0) counts.delete(text.slice(0, end))
      else counts.set(text.slice(0, end), left)
    }
  }
  blocks(slot: number): number {
    return this.of(slot).size
  }
  depth(slot: number, text: string): number {
    let depth = 0
    while (depth < text.length && this.of(slot).has(text.slice(0, depth + 1))) depth++
    return depth
  }
  private of(slot: number): Map<string, number> {
    const known = this.bySlot.get(slot) ?? new Map<string, number>()
    this.bySlot.set(slot, known)
    return known
  }
}

describe('active prefixes', () => {
  test('blocks that requests of a slot share count once', () => {
    const tree = new ActivePrefixes()
    const first = tree.add(0, chainOf('system:hello'))!
    expect(tree.changed).toBe(12)
    const second = tree.add(0, chainOf('system:howdy'))!
    expect(tree.changed).toBe(4)
    tree.add(1, chainOf('system:'))
    expect(tree.changed).toBe(7)

    const depths = new Uint32Array(3)
    tree.depths(chainOf('system:how?'), depths)
    expect([...depths]).toEqual([10, 7, 0])

    tree.remove(0, first)
    expect(tree.changed).toBe(4)
    tree.remove(0, second)
    expect(tree.changed).toBe(12 - 4 + 4)
  })

  test('a prompt without a full block holds nothing', () => {
    expect(new ActivePrefixes().add(0, new Uint32Array(0))).toBeUndefined()
  })

  test('any order of additions and removals agrees with a count per block', () => {
    let seed = 7
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
      return (seed >> 8) % below
    }
    for (let round = 0; round < 30; round++) {
      const tree = new ActivePrefixes()
      const twin = new Counts()
      const blocks = [0, 0, 0]
      const held: { slot: number; text: string; node: PrefixNode }[] = []
      const depths = new Uint32Array(3)
      const text = () => Array.from({ length: 1 + random(9) }, () => 'ab'[random(2)]).join('')
      for (let turn = 0; turn < 120; turn++) {
        if (random(5) < 3) {
          const one = { slot: random(3), text: text() }
          held.push({ ...one, node: tree.add(one.slot, chainOf(one.text))! })
          blocks[one.slot]! += tree.changed
          twin.add(one.slot, one.text)
        } else if (held.length > 0) {
          const [one] = held.splice(random(held.length), 1)
          tree.remove(one!.slot, one!.node)
          blocks[one!.slot]! -= tree.changed
          twin.remove(one!.slot, one!.text)
        }
        const asked = text()
        tree.depths(chainOf(asked), depths)
        expect([...depths]).toEqual([0, 1, 2].map((slot) => twin.depth(slot, asked)))
        expect(blocks).toEqual([0, 1, 2].map((slot) => twin.blocks(slot)))
      }
      for (const one of held) tree.remove(one.slot, one.node)
      expect(tree.size).toBe(0)
    }
  })
})
