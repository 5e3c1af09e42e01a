// Events that SGLang 0.5.23 sent, through the decoder into both indexes: what they hold is what the prompts in these events say.
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kvDecoder } from '../../../src/engine/sglang/kv/decode.ts'
import type { KvChange } from '../../../src/engine/types.ts'
import { chainHashes, promptHashes } from '../../../src/lib/block-hash.ts'
import { fastIndex } from '../../../src/router/index/fast.ts'
import { naiveIndex } from '../../../src/router/index/naive.ts'

const blockSize = 16

function recorded(name: string): KvChange[][] {
  const decode = kvDecoder(blockSize)
  const lines = readFileSync(join(import.meta.dir, '../../fixtures/kv-events', name), 'utf8')
    .trim()
    .split('\n')
  return lines.map((line) => decode(Uint8Array.fromHex((JSON.parse(line) as string[])[2]!)))
}

test.each(['live.jsonl', 'sglang-0.5.23.jsonl', 'sglang-0.5.23-dp2-rank0.jsonl', 'sglang-0.5.23-dp2-rank1.jsonl'])('%s', (name) => {
  const [fast, naive] = [fastIndex(), naiveIndex()]
  const chains: Uint32Array[] = []
  let known = 0
  for (const changes of recorded(name))
    for (const change of changes) {
      // The second worker does the same; its names are equal.
      for (const slot of [0, 1]) for (const index of [fast, naive]) index.apply(slot, change)
      if (change.kind === 'stored') chains.push(chainHashes(change.local))
      known = Math.max(known, fast.entries)
      expect(fast.entries).toBe(naive.entries)
      for (const chain of chains) expect(fast.match(chain, 2)).toEqual(naive.match(chain, 2))
    }
  expect(known).toBeGreaterThan(0)
  expect(fast.orphans).toBe(0)
})

test('a prompt that the engine has computed is found by its ids', () => {
  const index = fastIndex()
  for (const change of recorded('sglang-0.5.23.jsonl')[0]!) index.apply(0, change)
  const ids = Uint32Array.from({ length: 48 }, (_, i) => i + 1)
  expect([...index.match(promptHashes(ids, blockSize).chain, 1).device]).toEqual([2])
  expect([...index.match(promptHashes(ids, blockSize, { cacheSalt: 'other' }).chain, 1).device]).toEqual([0])
})
