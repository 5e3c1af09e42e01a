import { describe, expect, test } from 'bun:test'
import { fromPairs as hashes, toPairs } from '../../src/lib/block-hash/plain.ts'
import { chainHashes, localHashes, seedOf } from '../../src/lib/block-hash.ts'

const ids = (count: number) => Uint32Array.from({ length: count }, (_, i) => i + 1)

describe("Dynamo 1.6.1's own values, 16 ids a block", () => {
  const local = [16863443419780771464n, 2287610619914608821n, 12129935312930971799n]

  test('a prompt', () => {
    expect(hashes(localHashes(ids(48), 16))).toEqual(local)
    expect(hashes(chainHashes(localHashes(ids(48), 16)))).toEqual([16863443419780771464n, 12466389667045779788n, 960926348267535642n])
  })

  test('a chain goes on from its parent', () => {
    const chain = chainHashes(toPairs(local))
    expect(chainHashes(toPairs(local).subarray(2), chain.subarray(0, 2))).toEqual(chain.subarray(2))
  })

  test('an adapter', () => {
    expect(hashes(localHashes(ids(32), 16, { lora: 'my-lora' }))).toEqual([4148081000444450790n, 2866551892415683476n])
  })

  test("a tenant's salt", () => {
    expect(hashes(localHashes(ids(32), 16, { cacheSalt: 'ns1' }))).toEqual([10470563794485058852n, 9596755744098040008n])
  })

  test('an image in the first block', () => {
    const media = new Map([[0, [12345n]]])
    expect(hashes(localHashes(ids(32), 16, {}, { media }))).toEqual([9949902243469079088n, local[1]!])
  })

  test("EAGLE's windows of one id more", () => {
    expect(hashes(localHashes(ids(32), 16, {}, { eagle: true }))).toEqual([6752489653130089168n])
  })
})

test('an empty name is no name', () => {
  expect(seedOf({ lora: '', cacheSalt: '' })).toBe(1337n)
})

test('an incomplete block has no hash', () => {
  expect(localHashes(ids(15), 16)).toHaveLength(0)
})
