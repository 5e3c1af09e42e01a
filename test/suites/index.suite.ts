// What every KvIndex does. Blocks are letters here: `prompt('abc')` are three blocks, named by content as SGLang's are.
import { describe, expect, test } from 'bun:test'
import type { KvChange, KvTier } from '../../src/engine/types.ts'
import { chainHashes, type HashPairs } from '../../src/lib/block-hash.ts'
import type { KvIndex } from '../../src/router/index/index.ts'

/** Content hash of one block. */
const content = (letter: string): HashPairs => Uint32Array.of(letter.charCodeAt(0), 77)
const join = (pairs: HashPairs[]): HashPairs => Uint32Array.from(pairs.flatMap((pair) => [...pair]))

export const chainOf = (prompt: string): HashPairs => chainHashes(join([...prompt].map(content)))

/** The engine's names of a prompt's blocks: another number for each prefix, the same on every worker of a `scheme`. */
function namesOf(prompt: string, scheme: number): HashPairs[] {
  return [...prompt].map((_, i) => Uint32Array.of(Number(Bun.hash.crc32(prompt.slice(0, i + 1))), 0xf000_0000 + scheme))
}

/** The blocks of `prompt` after the first `known` ones are stored. */
export function stored(prompt: string, known = 0, tier: KvTier = 'device', scheme = 0): KvChange {
  const names = namesOf(prompt, scheme)
  return {
    kind: 'stored',
    blocks: join(names.slice(known)),
    parent: known === 0 ? null : names[known - 1]!,
    local: join([...prompt.slice(known)].map(content)),
    tier,
  }
}

/** The blocks of `prompt` after the first `kept` ones are evicted, the last one first. */
export function removed(prompt: string, kept: number, tier: KvTier = 'device', scheme = 0): KvChange {
  return { kind: 'removed', blocks: join(namesOf(prompt, scheme).slice(kept).reverse()), tier }
}

export function indexSuite(make: () => KvIndex): void {
  const device = (index: KvIndex, prompt: string, slots = 2) => [...index.match(chainOf(prompt), slots).device]

  describe('prefixes', () => {
    test('each slot tells how many leading blocks it has', () => {
      const index = make()
      index.apply(0, stored('abcd'))
      index.apply(1, stored('abxy'))
      expect(device(index, 'abcde')).toEqual([4, 2])
      expect(device(index, 'abx')).toEqual([2, 3])
      expect(device(index, 'zabcd')).toEqual([0, 0])
      expect(index.entries).toBe(8)
    })

    test('a chain goes on from a block that is known', () => {
      const index = make()
      index.apply(0, stored('ab'))
      index.apply(0, stored('abcd', 2))
      expect(device(index, 'abcd', 1)).toEqual([4])
    })

    test('blocks after an unknown one are not indexed, but counted', () => {
      const index = make()
      index.apply(1, stored('ab'))
      index.apply(0, stored('abcd', 2))
      expect(device(index, 'abcd')).toEqual([0, 2])
      expect(index.orphans).toBe(2)
      expect(index.entries).toBe(2)
    })

    test('what is stored twice is there once', () => {
      const index = make()
      index.apply(0, stored('abab'))
      index.apply(0, stored('abab'))
      expect(index.entries).toBe(4)
      index.apply(0, removed('abab', 0))
      expect(index.entries).toBe(0)
      expect(device(index, 'abab', 1)).toEqual([0])
    })

    test('a name twice in one event counts once', () => {
      const index = make()
      const once = stored('a') as Extract<KvChange, { kind: 'stored' }>
      index.apply(0, { ...once, blocks: join([once.blocks, once.blocks]), local: join([once.local, once.local]) })
      expect(index.entries).toBe(1)
    })

    test('only the slots that are asked for are in the answer', () => {
      const index = make()
      index.apply(3, stored('ab'))
      expect(device(index, 'ab', 2)).toEqual([0, 0])
      expect(device(index, 'ab', 5)).toEqual([0, 0, 0, 2, 0])
    })
  })

  describe('what goes', () => {
    test('an evicted end', () => {
      const index = make()
      index.apply(0, stored('abcd'))
      index.apply(1, stored('abcd'))
      index.apply(0, removed('abcd', 2))
      expect(device(index, 'abcd')).toEqual([2, 4])
    })

    test('a gap in the middle cuts this slot until it is filled again', () => {
      const index = make()
      for (const slot of [0, 1]) index.apply(slot, stored('abcd'))
      index.apply(0, { kind: 'removed', blocks: namesOf('abcd', 0)[1]!, tier: 'device' })
      expect(device(index, 'abcd')).toEqual([1, 4])
      index.apply(0, stored('ab', 1))
      expect(device(index, 'abcd')).toEqual([4, 4])
    })

    test('everything of a slot, which may then be another worker', () => {
      for (const end of [(index: KvIndex) => index.clear(0), (index: KvIndex) => index.apply(0, { kind: 'cleared' })]) {
        const index = make()
        for (const slot of [0, 1]) index.apply(slot, stored('abcd'))
        end(index)
        expect(device(index, 'abcd')).toEqual([0, 4])
        index.apply(0, stored('ab'))
        expect(device(index, 'abcd')).toEqual([2, 4])
        expect(index.entries).toBe(6)
      }
    })

    test('what a slot does not have cannot be taken from it', () => {
      const index = make()
      index.apply(1, stored('ab'))
      index.apply(0, removed('ab', 0))
      expect(device(index, 'ab')).toEqual([0, 2])
    })
  })

  describe('names', () => {
    test('two workers may name the same content differently', () => {
      const index = make()
      index.apply(0, stored('abc', 0, 'device', 0))
      index.apply(1, stored('abc', 0, 'device', 1))
      expect(device(index, 'abc')).toEqual([3, 3])
      index.apply(1, removed('abc', 0, 'device', 0))
      expect(device(index, 'abc')).toEqual([3, 3])
      index.apply(1, stored('abcd', 3, 'device', 1))
      index.apply(1, removed('abcd', 3, 'device', 1))
      index.apply(1, removed('abc', 1, 'device', 1))
      expect(device(index, 'abc')).toEqual([3, 1])
    })

    test('two workers may give one name to different content', () => {
      const index = make()
      const name = Uint32Array.of(1, 0)
      index.apply(0, { kind: 'stored', blocks: name, parent: null, local: content('a'), tier: 'device' })
      index.apply(1, { kind: 'stored', blocks: name, parent: null, local: content('b'), tier: 'device' })
      expect(device(index, 'a')).toEqual([1, 0])
      expect(device(index, 'b')).toEqual([0, 1])
      index.apply(0, { kind: 'removed', blocks: name, tier: 'device' })
      expect(device(index, 'a')).toEqual([0, 0])
      expect(device(index, 'b')).toEqual([0, 1])
    })

    test('one worker may have two names for one content', () => {
      const index = make()
      index.apply(0, stored('a', 0, 'device', 0))
      index.apply(0, stored('a', 0, 'device', 1))
      expect(index.entries).toBe(1)
      index.apply(0, removed('a', 0, 'device', 0))
      expect(device(index, 'a', 1)).toEqual([1])
      index.apply(0, removed('a', 0, 'device', 1))
      expect(device(index, 'a', 1)).toEqual([0])
    })
  })

  describe('tiers', () => {
    const tiers = (index: KvIndex, prompt: string) => {
      const { device, host, disk } = index.match(chainOf(prompt), 1)
      return [device[0], host[0], disk[0]]
    }

    test('a lower tier counts on where the one above ends', () => {
      const index = make()
      index.apply(0, stored('abcdef'))
      index.apply(0, stored('abcdef', 0, 'host'))
      index.apply(0, stored('abcdef', 0, 'external'))
      index.apply(0, removed('abcdef', 2))
      index.apply(0, removed('abcdef', 3, 'host'))
      expect(tiers(index, 'abcdef')).toEqual([2, 1, 3])
    })

    test('a block that is on the host still when the device lets it go can be followed', () => {
      const index = make()
      index.apply(0, stored('ab'))
      index.apply(0, stored('ab', 0, 'host'))
      index.apply(0, removed('ab', 0))
      expect(tiers(index, 'ab')).toEqual([0, 2, 0])
      expect(index.entries).toBe(2)
      index.apply(0, stored('abc', 2))
      expect(tiers(index, 'abc')).toEqual([0, 2, 0])
      index.apply(0, stored('ab'))
      expect(tiers(index, 'abc')).toEqual([3, 0, 0])
    })

    test('disk and stores outside are one tier', () => {
      const index = make()
      index.apply(0, stored('ab', 0, 'disk'))
      index.apply(0, removed('ab', 0, 'external'))
      expect(index.entries).toBe(0)
    })
  })

  test('a dump rebuilds it', () => {
    const [index, copy] = [make(), make()]
    index.apply(0, stored('abcd'))
    index.apply(0, stored('abxy', 2, 'host'))
    index.apply(1, stored('abcd', 0, 'disk', 1))
    for (const slot of [0, 1]) for (const change of index.dump(slot)) copy.apply(slot, change)
    expect(copy.entries).toBe(index.entries)
    for (const prompt of ['abcd', 'abxy']) expect(copy.match(chainOf(prompt), 2)).toEqual(index.match(chainOf(prompt), 2))
    copy.apply(0, removed('abcd', 1))
    expect(device(copy, 'abcd')).toEqual([1, 0])
  })

  test.each([33, 512, 600])('%i slots', (slots) => {
    const index = make()
    for (let slot = 0; slot < slots; slot++) index.apply(slot, stored(slot % 2 === 0 ? 'abc' : 'abd'))
    index.apply(slots - 1, stored('abcef'))
    const expected = Array.from({ length: slots }, (_, slot) => (slot === slots - 1 ? 4 : slot % 2 === 0 ? 3 : 2))
    expect(device(index, 'abce', slots)).toEqual(expected)
    for (let slot = 0; slot < slots - 2; slot++) index.apply(slot, removed(slot % 2 === 0 ? 'abc' : 'abd', 1))
    expect(device(index, 'abc', slots)).toEqual(expected.map((depth, slot) => (slot < slots - 2 ? 1 : Math.min(depth, 3))))
  })
}
