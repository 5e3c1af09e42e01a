// Names of KV blocks, the same in every process: Dynamo's XXH3-64 chain over token ids (dynamo 1.6.1 lib/kv-router/src/protocols.rs).
// 64-bit hashes travel as pairs of u32, low first: a BigInt per block would cost more than the hash.

import { type BlockContent, plainLocalHashes } from './block-hash/plain.ts'

/** [low, high, low, high, …]; two entries a hash. */
export type HashPairs = Uint32Array

/** What keeps equal tokens apart: adapters and tenants. Empty strings are as good as absent. */
export interface HashNamespace {
  lora?: string | undefined
  cacheSalt?: string | undefined
}

const seed = 1337n
const mask = 0xffff_ffff_ffff_ffffn

/** Seed of the local hashes in a namespace. */
export function seedOf({ lora, cacheSalt }: HashNamespace): bigint {
  let sum = seed
  if (lora) sum += Bun.hash.xxHash3(lora, 0n)
  if (cacheSalt) sum += Bun.hash.xxHash3(cacheSalt, 1n)
  return sum & mask
}

/** One hash for each complete block of `blockSize` ids. */
export function localHashes(ids: Uint32Array, blockSize: number, namespace: HashNamespace = {}, content: BlockContent = {}): HashPairs {
  return toPairs(plainLocalHashes(ids, blockSize, seedOf(namespace), content))
}

/** Each block's name given all blocks before it; `parent` (a pair) is what the first one follows. */
export function chainHashes(local: HashPairs, parent?: HashPairs): HashPairs {
  const chain = local.slice()
  const pair = new Uint32Array(4)
  let from = parent === undefined ? 2 : 0
  if (parent !== undefined) pair.set(parent)
  else if (local.length > 0) pair.set(local.subarray(0, 2))
  for (; from < local.length; from += 2) {
    pair.set(local.subarray(from, from + 2), 2)
    store(chain, from / 2, Bun.hash.xxHash3(pair, seed))
    pair.set(chain.subarray(from, from + 2))
  }
  return chain
}

function store(hashes: HashPairs, index: number, hash: bigint): void {
  hashes[2 * index] = Number(hash & 0xffff_ffffn)
  hashes[2 * index + 1] = Number(hash >> 32n)
}

/** Hashes as pairs. */
export function toPairs(hashes: readonly bigint[]): HashPairs {
  const pairs = new Uint32Array(2 * hashes.length)
  hashes.forEach((hash, i) => {
    store(pairs, i, hash)
  })
  return pairs
}

/** Hashes of one prompt: `local` and `chain`, valid until the next call of `promptHashes`. */
export interface PromptHashes {
  local: HashPairs
  chain: HashPairs
}

/** Both hashes of every complete block. The arrays are used again by the next call: copy what is kept. */
export function promptHashes(ids: Uint32Array, blockSize: number, namespace: HashNamespace = {}): PromptHashes {
  const local = localHashes(ids, blockSize, namespace)
  return { local, chain: chainHashes(local) }
}

/** The hash of one block that is all of `ids`, into pair `index` of `out`. */
export function hashBlock(ids: Int32Array | Uint32Array, out: HashPairs, index: number, namespace: HashNamespace = {}): void {
  out.set(localHashes(new Uint32Array(ids), ids.length, namespace), 2 * index)
}
