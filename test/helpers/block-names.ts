// Block names (pairs of u32) as strings, and what KV changes add up to, for sets and messages in tests.
import type { KvChange } from '../../src/engine/types.ts'
import type { HashPairs } from '../../src/lib/block-hash.ts'

export function blockNames(pairs: HashPairs): string[] {
  return Array.from({ length: pairs.length / 2 }, (_, i) => ((BigInt(pairs[2 * i + 1]!) << 32n) | BigInt(pairs[2 * i]!)).toString(16))
}

/** 64-bit integers, signed or not, as the pairs that travel. */
export function pairsOf(...values: (number | bigint)[]): HashPairs {
  return new Uint32Array(BigInt64Array.from(values, BigInt).buffer)
}

/** `tier/name` of everything that some changes add up to. */
export function contentOf(changes: readonly KvChange[]): string[] {
  const held = new Set<string>()
  for (const change of changes) {
    if (change.kind === 'cleared') held.clear()
    else for (const name of blockNames(change.blocks)) held[change.kind === 'stored' ? 'add' : 'delete'](`${change.tier}/${name}`)
  }
  return [...held].sort()
}
