// What a prompt costs the router before it chooses: hashes of all its blocks, then the match in an index of 1 M blocks. CPU microseconds a prompt.
import { plainChainHashes, plainLocalHashes } from '../../src/lib/block-hash/plain.ts'
import { chainHashes, localHashes, promptHashes } from '../../src/lib/block-hash.ts'
import { fastIndex } from '../../src/router/index/fast.ts'
import { cpuMicros, depth, localOf, middle } from './index/workload.ts'

/** Median of 9 rounds. */
function measure(count: number, run: (i: number) => void): number {
  const rounds: number[] = []
  for (let round = 0; round < 9; round++) {
    const start = cpuMicros()
    for (let i = 0; i < count; i++) run(i)
    rounds.push((cpuMicros() - start) / count)
  }
  return Number(middle(rounds).toFixed(2))
}

const index = fastIndex()
for (let number = 0; number < 1e6 / depth; number++) {
  const local = localOf(number)
  index.apply(number % 8, { kind: 'stored', blocks: chainHashes(local), parent: null, local, tier: 'device' })
}
const rows: Record<string, number>[] = []
for (const tokens of [16_384, 32_768])
  for (const blockSize of [16, 64]) {
    const prompts = Array.from({ length: 64 }, (_, p) => Uint32Array.from({ length: tokens }, (_, i) => (i * 7919 + p) % 150_000))
    prompts.forEach((ids, i) => {
      const local = localHashes(ids, blockSize)
      index.apply(i % 8, { kind: 'stored', blocks: chainHashes(local), parent: null, local, tier: 'device' })
    })
    let depths = 0
    const hash = measure(400, (i) => void promptHashes(prompts[i & 63]!, blockSize))
    const all = measure(400, (i) => {
      const { chain } = promptHashes(prompts[i & 63]!, blockSize)
      depths += index.match(chain, 8).device[i & 7]!
    })
    if (depths === 0) throw new Error('nothing was found')
    const blocks = tokens / blockSize
    rows.push({
      tokens,
      blockSize,
      'hashes µs': hash,
      'hashes ns/block': Number(((hash / blocks) * 1000).toFixed(1)),
      'hashes and match µs': all,
      'BigInt twin µs': measure(1, (i) => void plainChainHashes(plainLocalHashes(prompts[i]!, blockSize, 1337n))),
    })
  }
console.table(rows)
