import { expect, test } from 'bun:test'
import { KeyChain, KvCache } from '../../../../src/engine/mock/rank/kv.ts'

const size = 4
const block = (n: number) => Int32Array.from({ length: size }, (_, i) => n * size + i)

/** Keys of the blocks 0…n-1 in one chain. */
function keys(n: number, namespace = 0): number[] {
  const chain = new KeyChain(namespace)
  return Array.from({ length: n }, (_, i) => {
    chain.add(block(i))
    return chain.key()
  })
}

/** Content hashes that can be told apart. */
const local = Uint32Array.from({ length: 20 }, (_, i) => 1000 + i)
const pair = (key: number) => [key % 2 ** 32, Math.floor(key / 2 ** 32)]

/** Holds and keys a whole chain. */
function fill(kv: KvCache, chain: readonly number[]): number[] {
  return chain.map((key, i) => kv.publish(kv.allocate(), key, chain[i - 1] ?? 0, local, i))
}

const letGo = (kv: KvCache, blocks: readonly number[]) => {
  for (const held of blocks.toReversed()) kv.release(held)
}

test('a key depends on the namespace and on every block before', () => {
  expect(keys(2)[1]).not.toBe(keys(2, 5)[1])
  const other = new KeyChain(0)
  other.add(block(9))
  other.add(block(1))
  expect(other.key()).not.toBe(keys(2)[1])
  expect(keys(100).every((key) => Number.isSafeInteger(key) && key > 0)).toBe(true)
})

test('what was let go is found again, up to where it was evicted', () => {
  const kv = new KvCache(4, size)
  const chain = keys(4)
  letGo(kv, fill(kv, chain))
  expect(kv.match(chain, 4)).toEqual({ blocks: 4, unheld: 4 })
  kv.allocate()
  // The end of the prefix goes first.
  expect(kv.match(chain, 4)).toEqual({ blocks: 3, unheld: 3 })
})

test('the longest unused chain is evicted first', () => {
  const kv = new KvCache(4, size)
  const [old, young] = [keys(2, 1), keys(2, 2)]
  letGo(kv, fill(kv, old))
  letGo(kv, fill(kv, young))
  kv.release(kv.hold(old[0]!))
  kv.allocate()
  kv.allocate()
  expect(kv.match(old, 2).blocks).toBe(1)
  expect(kv.match(young, 2).blocks).toBe(1)
})

test('held blocks are never evicted', () => {
  const kv = new KvCache(2, size)
  fill(kv, keys(2))
  expect(kv.allocate()).toBe(-1)
  expect(kv.available()).toBe(0)
})

test('the same block made twice is kept once', () => {
  const kv = new KvCache(4, size)
  const chain = keys(1)
  const first = fill(kv, chain)
  const second = fill(kv, chain)
  expect(second).toEqual(first)
  expect(kv.held()).toBe(1)
  letGo(kv, first)
  expect(kv.held()).toBe(1)
  letGo(kv, second)
  expect(kv.held()).toBe(0)
})

test('changes: a chain is one stored event, evictions are removed, a flush is cleared', () => {
  const kv = new KvCache(3, size)
  kv.recording = true
  const chain = keys(2)
  const blocks = fill(kv, chain)
  expect(kv.takeChanges()).toEqual([
    {
      kind: 'stored',
      blocks: Uint32Array.from(chain.flatMap(pair)),
      parent: null,
      local: local.slice(0, 4),
      tier: 'device',
    },
  ])
  const third = keys(3)
  kv.release(kv.publish(kv.allocate(), third[2]!, third[1]!, local, 2))
  const blocks2 = Uint32Array.from(pair(third[2]!))
  expect(kv.takeChanges()).toMatchObject([{ kind: 'stored', blocks: blocks2, parent: Uint32Array.from(pair(chain[1]!)) }])
  letGo(kv, blocks)
  kv.allocate()
  expect(kv.takeChanges()).toEqual([{ kind: 'removed', blocks: blocks2, tier: 'device' }])
  kv.clear()
  expect(kv.takeChanges()).toEqual([{ kind: 'cleared' }])
  expect(kv.takeChanges()).toBeUndefined()
  expect(kv.cached()).toBe(0)
})

test('a block without a content hash is kept but never told', () => {
  const kv = new KvCache(1, size)
  kv.recording = true
  kv.release(kv.publish(kv.allocate(), keys(1)[0]!, 0, undefined, 0))
  kv.allocate()
  expect(kv.takeChanges()).toBeUndefined()
})

test('nothing is noted while nobody listens', () => {
  const kv = new KvCache(2, size)
  fill(kv, keys(2))
  expect(kv.takeChanges()).toBeUndefined()
})
