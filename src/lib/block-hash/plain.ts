// Block hashes in plain BigInt: what block-hash.ts must give, only slower. The twin that tests compare with.
import { xxh3 } from './xxh3.ts'

/** What else a block's hash covers, and where blocks end. */
export interface BlockContent {
  /** EAGLE: block i covers `blockSize + 1` ids from `i * blockSize` on, so the last of them also starts the next block. */
  eagle?: boolean | undefined
  /** Hashes of the images (or other media) inside each block that has some, by block. */
  media?: ReadonlyMap<number, readonly bigint[]> | undefined
}

/** One hash for each complete block. */
export function plainLocalHashes(ids: ArrayLike<number>, blockSize: number, seed: bigint, { eagle, media }: BlockContent = {}): bigint[] {
  const width = eagle ? blockSize + 1 : blockSize
  const hashes: bigint[] = []
  for (let at = 0; at + width <= ids.length; at += blockSize) {
    const inside = [...(media?.get(hashes.length) ?? [])].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    const bytes = new DataView(new ArrayBuffer(4 * width + 8 * inside.length))
    for (let i = 0; i < width; i++) bytes.setUint32(4 * i, ids[at + i]!, true)
    inside.forEach((hash, i) => {
      bytes.setBigUint64(4 * width + 8 * i, hash, true)
    })
    hashes.push(xxh3(new Uint8Array(bytes.buffer), seed))
  }
  return hashes
}

/** Each block's name given all blocks before it. */
export function plainChainHashes(local: readonly bigint[], parent?: bigint): bigint[] {
  const bytes = new DataView(new ArrayBuffer(16))
  const chain: bigint[] = []
  let before = parent
  for (const hash of local) {
    if (before === undefined) before = hash
    else {
      bytes.setBigUint64(0, before, true)
      bytes.setBigUint64(8, hash, true)
      before = xxh3(new Uint8Array(bytes.buffer), 1337n)
    }
    chain.push(before)
  }
  return chain
}

/** Hashes as pairs of u32, low first. */
export function toPairs(hashes: readonly bigint[]): Uint32Array {
  return new Uint32Array(BigUint64Array.from(hashes).buffer)
}

export function fromPairs(pairs: Uint32Array): bigint[] {
  return Array.from({ length: pairs.length / 2 }, (_, i) => (BigInt(pairs[2 * i + 1]!) << 32n) | BigInt(pairs[2 * i]!))
}
