// What it costs to place a request: hashing, lookup, scores, choice and booking, by prompt length, block size and number of ranks.
// The prompts share their first half with what the ranks hold; 200 requests run at once. Release is measured apart. Medians over rounds of all 200.
import type { Pool } from '../../src/router/pool.ts'
import type { Lease } from '../../src/router/router.ts'
import { fakeWorker, testPool } from '../helpers/fakes/router-pool.ts'

const rounds = 40
const atOnce = 200
const signal = new AbortController().signal

function prompts(tokens: number): Uint32Array[] {
  return Array.from({ length: atOnce }, (_, i) =>
    Uint32Array.from({ length: tokens }, (_, at) => (at < tokens / 2 ? (i % 20) * 131_071 + at : i * 65_537 + at + 7)),
  )
}

function measure(pool: Pool, ids: readonly Uint32Array[]): { place: number; end: number } {
  const place: number[] = []
  const end: number[] = []
  for (let round = 0; round < rounds; round++) {
    const leases: Lease[] = []
    const begin = performance.now()
    for (const promptIds of ids) leases.push(pool.place({ requestId: 'r', promptIds, maxNewTokens: 256 }, signal) as Lease)
    const placed = performance.now()
    for (const lease of leases) lease.started()
    for (const lease of leases) lease.release()
    place.push(placed - begin)
    end.push(performance.now() - placed)
  }
  // The first rounds warm up.
  const median = (times: number[]) => times.slice(rounds / 4).sort((a, b) => a - b)[Math.floor((rounds * 3) / 8)]!
  return { place: (1000 * median(place)) / ids.length, end: (1000 * median(end)) / ids.length }
}

console.log(
  `${'mode'.padEnd(14)} ${'tokens'.padStart(7)} ${'block'.padStart(6)} ${'ranks'.padStart(6)} ${'place µs'.padStart(9)} ${'end µs'.padStart(8)}`,
)
for (const mode of ['kv', 'least-loaded'])
  for (const blockSize of [16, 64])
    for (const tokens of [100, 1024, 16_384])
      for (const ranks of [8, 32, 512]) {
        const workers = Array.from({ length: ranks }, (_, i) => fakeWorker(`w${i}`, { blockSize, totalKvTokens: 1_048_576 }))
        const { pool } = testPool(workers, { mode })
        const ids = prompts(tokens)
        for (let i = 0; i < 20; i++) for (const at of [i, i + 3]) workers[at % ranks]!.holds(ids[i]!.subarray(0, tokens / 2))
        const { place, end } = measure(pool, ids)
        pool.close()
        console.log(
          `${mode.padEnd(14)} ${String(tokens).padStart(7)} ${String(blockSize).padStart(6)} ${String(ranks).padStart(6)} ${place.toFixed(1).padStart(9)} ${end.toFixed(1).padStart(8)}`,
        )
      }
