import { expect, test } from 'bun:test'
import { kernel } from '../../../src/lib/block-hash/kernel.ts'
import { fromPairs, plainChainHashes, plainLocalHashes, toPairs } from '../../../src/lib/block-hash/plain.ts'
import { xxh3 } from '../../../src/lib/block-hash/xxh3.ts'
import { chainBlock, chainHashes, type HashNamespace, hashBlock, localHashes, promptHashes, seedOf } from '../../../src/lib/block-hash.ts'
import { embeddings, embedWat } from '../../helpers/build-wat.ts'
import { random } from '../../helpers/random.ts'

test('the embedded bytes are what the source says', async () => {
  expect(await Bun.file(embeddings.xxh3.ts).text()).toBe(await embedWat(embeddings.xxh3))
})

test('plain XXH3 is what Bun computes, as far as Bun knows seeds', () => {
  const bytes = crypto.getRandomValues(new Uint8Array(2200))
  for (let length = 0; length <= bytes.length; length += length < 300 ? 1 : 37)
    for (const seed of [0n, 1337n, 0xffff_ffffn]) {
      const part = bytes.subarray(0, length)
      expect(xxh3(part, seed)).toBe(Bun.hash.xxHash3(part, seed))
    }
})

test('the kernel is the plain one at every length of whole ids and any seed', () => {
  const { base, memory, seed, hash } = kernel()
  for (let length = 4; length <= 2200; length += 4) {
    const bytes = crypto.getRandomValues(new Uint8Array(length))
    const chosen = crypto.getRandomValues(new BigUint64Array(1))[0]!
    new Uint8Array(memory.buffer, base, length).set(bytes)
    seed(BigInt.asIntN(64, chosen))
    expect(BigInt.asUintN(64, hash(base, length))).toBe(xxh3(bytes, chosen))
  }
  // Whoever hashes next must not take the last seed for his own.
  localHashes(new Uint32Array(1), 1, { lora: 'reseeds the kernel' })
})

const namespaces: HashNamespace[] = [{}, { lora: 'adapter' }, { cacheSalt: 'tenant' }, { lora: 'adapter', cacheSalt: 'tenant' }]

test('prompts of any shape', () => {
  const next = random(7)
  for (let round = 0; round < 300; round++) {
    const blockSize = [1, 2, 3, 4, 16, 32, 33, 64, 128][next(9)]!
    const ids = Uint32Array.from({ length: next(blockSize * 6) }, () => next(2 ** 32))
    const namespace = namespaces[next(4)]!
    const media = next(3) === 0 ? new Map([[next(4), Array.from({ length: 1 + next(5) }, () => BigInt(next(2 ** 32)) << 31n)]]) : undefined
    const content = { eagle: next(4) === 0, media }
    const local = plainLocalHashes(ids, blockSize, seedOf(namespace), content)
    expect(fromPairs(localHashes(ids, blockSize, namespace, content))).toEqual(local)
    const prompt = promptHashes(ids, blockSize, namespace, content)
    expect(fromPairs(prompt.local)).toEqual(local)
    expect(fromPairs(prompt.chain)).toEqual(plainChainHashes(local))
  }
})

test('chains with and without a parent', () => {
  const local = Array.from({ length: 40 }, (_, i) => xxh3(Uint8Array.of(i), 0n))
  expect(fromPairs(chainHashes(toPairs(local)))).toEqual(plainChainHashes(local))
  expect(fromPairs(chainHashes(toPairs(local), toPairs([5n])))).toEqual(plainChainHashes(local, 5n))
  expect(chainHashes(toPairs([]))).toHaveLength(0)
})

test('block by block it is the same as in one go', () => {
  const ids = Uint32Array.from({ length: 48 }, (_, i) => i + 1)
  const local = new Uint32Array(6)
  const names = new Uint32Array(6)
  for (let i = 0; i < 3; i++) {
    hashBlock(new Int32Array(ids.slice(16 * i, 16 * i + 16)), local, i)
    chainBlock(local, i, names, i - 1, i)
  }
  expect(fromPairs(local)).toEqual(fromPairs(localHashes(ids, 16)))
  expect(fromPairs(names)).toEqual(fromPairs(chainHashes(local)))
})

test('a prompt longer than the memory had room for', () => {
  const ids = Uint32Array.from({ length: 300_000 }, (_, i) => i)
  const { local, chain } = promptHashes(ids, 16)
  expect(fromPairs(local.slice(-2))).toEqual(plainLocalHashes(ids.slice(-16), 16, 1337n))
  expect(chain.slice(-2)).toEqual(chainHashes(local.slice()).slice(-2))
})
