// Names of KV blocks, the same in every process: Dynamo's XXH3-64 chain over token ids (dynamo 1.6.1 lib/kv-router/src/protocols.rs).
// 64-bit hashes travel as pairs of u32, low first: a BigInt per block would cost more than the hash.
import { type Kernel, kernel, room, words } from './block-hash/kernel.ts'
import type { BlockContent } from './block-hash/plain.ts'

/** [low, high, low, high, …]; two entries a hash. */
export type HashPairs = Uint32Array

/** What keeps equal tokens apart: adapters and tenants. Empty strings are as good as absent. */
export interface HashNamespace {
  lora?: string | undefined
  cacheSalt?: string | undefined
}

/** Both hashes of every complete block of one prompt. */
export interface PromptHashes {
  local: HashPairs
  chain: HashPairs
}

const plainSeed = 1337n
const mask = 0xffff_ffff_ffff_ffffn
const noNamespace: HashNamespace = {}
const noContent: BlockContent = {}
const nothing = new Uint32Array(0)

/** Seed of the local hashes in a namespace. */
export function seedOf({ lora, cacheSalt }: HashNamespace): bigint {
  let sum = plainSeed
  if (lora) sum += Bun.hash.xxHash3(lora, 0n)
  if (cacheSalt) sum += Bun.hash.xxHash3(cacheSalt, 1n)
  return sum & mask
}

/** One hash for each complete block of `blockSize` ids. `content`: media inside the blocks, EAGLE's windows. */
export function localHashes(
  ids: Uint32Array,
  blockSize: number,
  namespace: HashNamespace = noNamespace,
  content: BlockContent = noContent,
): HashPairs {
  const blocks = blocksIn(ids.length, blockSize, content)
  const at = hashLocal(ids, blockSize, blocks, namespace, content)
  return words().slice(at, at + 2 * blocks)
}

/** Each block's name given all blocks before it; `parent` (a pair) is what the first one follows. */
export function chainHashes(local: HashPairs, parent?: HashPairs): HashPairs {
  return chainView(local, parent).slice()
}

/** The same in an array that the next call of anything in this file uses again. */
export function chainView(local: HashPairs, parent?: HashPairs): HashPairs {
  const { length } = local
  const memory = room(2 * length + 2)
  memory.set(local)
  if (parent !== undefined) memory.set(parent, length)
  chainFrom(kernel(), 0, length / 2, parent !== undefined)
  return memory.subarray(length + 2, 2 * length + 2)
}

/** Both hashes of every complete block, in one go. The arrays are used again by the next call of anything in this file: copy what is kept. */
export function promptHashes(
  ids: Uint32Array,
  blockSize: number,
  namespace: HashNamespace = noNamespace,
  content: BlockContent = noContent,
): PromptHashes {
  const blocks = blocksIn(ids.length, blockSize, content)
  if (blocks === 0) return { local: nothing, chain: nothing }
  const at = hashLocal(ids, blockSize, blocks, namespace, content)
  chainFrom(kernel(), at, blocks, false)
  const end = at + 2 * blocks
  return { local: words().subarray(at, end), chain: words().subarray(end + 2, end + 2 + 2 * blocks) }
}

/** The local hash of the one block that all of `ids` are, into pair `index` of `out`. */
export function hashBlock(ids: Int32Array | Uint32Array, out: HashPairs, index: number, namespace: HashNamespace = noNamespace): void {
  const local = hashLocal(ids, ids.length, 1, namespace, noContent)
  out[2 * index] = words()[local]!
  out[2 * index + 1] = words()[local + 1]!
}

/** The name of the block with local hash `local[at]` that follows the one named `names[parent]` (-1: it is the first), into pair `to` of `names`. */
export function chainBlock(local: HashPairs, at: number, names: HashPairs, parent: number, to: number): void {
  const memory = room(6)
  memory[0] = local[2 * at]!
  memory[1] = local[2 * at + 1]!
  if (parent >= 0) {
    memory[2] = names[2 * parent]!
    memory[3] = names[2 * parent + 1]!
  }
  chainFrom(kernel(), 0, 1, parent >= 0)
  names[2 * to] = memory[4]!
  names[2 * to + 1] = memory[5]!
}

function blocksIn(ids: number, blockSize: number, { eagle }: BlockContent): number {
  return Math.max(0, Math.floor((eagle ? ids - 1 : ids) / blockSize))
}

/** Leaves the local hashes in the kernel's memory, with room for as many chained ones and a parent after them; returns where, in words. */
function hashLocal(
  ids: Int32Array | Uint32Array,
  blockSize: number,
  blocks: number,
  namespace: HashNamespace,
  { eagle, media }: BlockContent,
): number {
  const at = (ids.length + 1) & ~1
  room(at + 4 * blocks + 2).set(ids)
  const run = kernel()
  chooseSeed(run, namespace)
  const width = eagle ? blockSize + 1 : blockSize
  run.blocks(run.base, 4 * blockSize, 4 * width, blocks, run.base + 4 * at)
  if (media === undefined) return at
  for (const [block, inside] of media) {
    if (block < blocks)
      hashWithMedia(ids.subarray(block * blockSize, block * blockSize + width), inside, at + 2 * block, at + 4 * blocks + 2)
  }
  return at
}

/** Once more for a block with media, whose hashes follow its ids in order of size; word `scratch` on is free for it. */
function hashWithMedia(block: Int32Array | Uint32Array, media: readonly bigint[], to: number, scratch: number): void {
  const inside = new Uint32Array(BigUint64Array.from(media).sort().buffer)
  const length = block.length + inside.length
  const memory = room(scratch + length)
  memory.set(block, scratch)
  memory.set(inside, scratch + block.length)
  const run = kernel()
  run.blocks(run.base + 4 * scratch, 0, 4 * length, 1, run.base + 4 * to)
}

/** Chained hashes of the `blocks` local ones at word `at`, two words after their end. */
function chainFrom(run: Kernel, at: number, blocks: number, follows: boolean): void {
  const local = run.base + 4 * at
  run.chain(local, blocks, local + 8 * blocks + 8, follows ? 1 : 0)
}

let seededFor: HashNamespace | undefined

/** Most prompts are in the namespace of the one before. */
function chooseSeed(run: Kernel, namespace: HashNamespace): void {
  const { lora = '', cacheSalt = '' } = namespace
  if (seededFor !== undefined && seededFor.lora === lora && seededFor.cacheSalt === cacheSalt) return
  run.seed(BigInt.asIntN(64, seedOf(namespace)))
  seededFor = { lora, cacheSalt }
}
