// Cuts KV changes into messages that every transport takes: NATS refuses messages above 1 MiB.
import type { HashPairs } from '../../lib/block-hash.ts'
import type { KvChange } from '../types.ts'

/** Blocks in one message: 16 bytes each at most. */
const mostBlocks = 16_384

/** The same changes in the same order, in one list a message; a change that is too long is cut in two or more. */
export function batches(changes: readonly KvChange[], most: number = mostBlocks): KvChange[][] {
  const all: KvChange[][] = []
  let batch: KvChange[] = []
  let room = most
  for (const change of changes) {
    const blocks = change.kind === 'cleared' ? 0 : change.blocks.length / 2
    for (let from = 0; from < blocks || from === 0; ) {
      const to = Math.min(blocks, from + room)
      batch.push(blocks <= room && from === 0 ? change : part(change, from, to))
      room -= to - from
      from = Math.max(to, 1)
      if (room > 0) continue
      all.push(batch)
      batch = []
      room = most
    }
  }
  if (batch.length > 0) all.push(batch)
  return all
}

function part(change: KvChange, from: number, to: number): KvChange {
  if (change.kind === 'cleared') return change
  const cut = (pairs: HashPairs) => pairs.subarray(2 * from, 2 * to)
  if (change.kind === 'removed') return { ...change, blocks: cut(change.blocks) }
  const parent = from === 0 ? change.parent : change.blocks.subarray(2 * from - 2, 2 * from)
  return { ...change, blocks: cut(change.blocks), local: cut(change.local), parent }
}
