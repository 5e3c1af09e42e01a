// One case of the index bench in a process of its own: `ours.ts BLOCKS WORKERS`. Prints one line of JSON.
import { chainHashes } from '../../../src/lib/block-hash.ts'
import { fastIndex } from '../../../src/router/index/fast.ts'
import { cpuMicros, depth, eventBlocks, localOf, matches, middle, sharers } from './workload.ts'

const [blocks, workers] = process.argv.slice(2).map(Number) as [number, number]
const index = fastIndex()
const prompts = Math.round(blocks / depth)
const before = process.memoryUsage.rss()
const spent = { stored: 0, again: 0, removed: 0 }
const counts = { stored: 0, again: 0, removed: 0 }

/** Prompts come in eights that grow by turns, so that the blocks of one prompt do not all lie together. */
for (let group = 0; group < prompts; group += 8) {
  const members = Array.from({ length: Math.min(8, prompts - group) }, (_, i) => {
    const local = localOf(group + i)
    return { number: group + i, local, names: chainHashes(local) }
  })
  for (let sharer = 0; sharer < sharers; sharer++) {
    const what = sharer === 0 ? 'stored' : 'again'
    const start = cpuMicros()
    for (let at = 0; at < depth; at += eventBlocks)
      for (const { number, local, names } of members) {
        const range = [2 * at, 2 * (at + eventBlocks)] as const
        const parent = at === 0 ? null : names.subarray(2 * at - 2, 2 * at)
        index.apply((number + 3 * sharer) % workers, {
          kind: 'stored',
          blocks: names.subarray(...range),
          parent,
          local: local.subarray(...range),
          tier: 'device',
        })
        counts[what] += eventBlocks
      }
    spent[what] += cpuMicros() - start
  }
}
const bytes = index.bytes
Bun.gc(true)
const rss = process.memoryUsage.rss() - before

const chains = Array.from({ length: matches }, (_, i) => chainHashes(localOf(Math.floor((i * prompts) / matches))))
let found = 0
const rounds: number[] = []
for (let round = 0; round < 5; round++) {
  const start = cpuMicros()
  for (const chain of chains) {
    const { device } = index.match(chain, workers)
    for (let slot = 0; slot < workers; slot++) found += device[slot]!
  }
  rounds.push((cpuMicros() - start) / matches)
}
if (found !== 5 * matches * depth * sharers) throw new Error(`found ${found} blocks, not ${5 * matches * depth * sharers}`)

for (let number = 0; number < prompts / 8; number++) {
  const names = chainHashes(localOf(number))
  const reversed = Uint32Array.from({ length: names.length }, (_, i) => names[names.length - 2 - (i & ~1) + (i & 1)]!)
  const start = cpuMicros()
  for (let sharer = 0; sharer < sharers; sharer++)
    for (let at = 0; at < depth; at += eventBlocks)
      index.apply((number + 3 * sharer) % workers, {
        kind: 'removed',
        blocks: reversed.subarray(2 * at, 2 * (at + eventBlocks)),
        tier: 'device',
      })
  spent.removed += cpuMicros() - start
  counts.removed += depth * sharers
}
const rate = (what: 'stored' | 'again' | 'removed') => Math.round((counts[what] / spent[what]) * 1e6)
console.log(
  JSON.stringify({
    index: 'dynamo-sglang',
    blocks,
    workers,
    matchMicrosFirst: Number(rounds[0]!.toFixed(2)),
    matchMicros: Number(middle(rounds).toFixed(2)),
    storedPerSecond: rate('stored'),
    storedAgainPerSecond: rate('again'),
    removedPerSecond: rate('removed'),
    bytesPerBlock: Number((bytes / (prompts * depth)).toFixed(2)),
    rssBytesPerBlock: Number((rss / (prompts * depth)).toFixed(1)),
  }),
)
