// Routing on a trace in virtual time: hit rate, TTFT and balance of each mode and cost formula on the same requests. A step to choose by,
// not a claim: the numbers of record come from real processes (live.ts).
//   bun test/bench/trace/sim.ts --trace conversation_trace.jsonl.xz [--speed 15] [--workers 8] [--block 16] [--blocks 16384] [--modes kv/reuse,kv/dynamo,…]
import { parseArgs } from 'node:util'
import { costNames } from '../../../src/router/cost.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { createPool } from '../../../src/router/pool.ts'
import { readTrace, referenceShape } from './read-trace.ts'
import { runFleet } from './virtual-fleet.ts'

const { values } = parseArgs({
  options: {
    trace: { type: 'string' },
    speed: { type: 'string', default: String(referenceShape.speed) },
    requests: { type: 'string', default: String(referenceShape.requests) },
    skip: { type: 'string', default: '0' },
    workers: { type: 'string', default: '8' },
    block: { type: 'string', default: '16' },
    blocks: { type: 'string', default: '16384' },
    modes: { type: 'string' },
  },
})
if (values.trace === undefined) {
  console.log('no --trace FILE given (a Mooncake trace, .jsonl or .jsonl.xz): nothing to do')
  process.exit(0)
}
const shape = { ...referenceShape, speed: Number(values.speed), requests: Number(values.requests), skip: Number(values.skip) }
const trace = await readTrace(values.trace, shape)
const fleet = { workers: Number(values.workers), blockSize: Number(values.block), blocks: Number(values.blocks) }
const modes = values.modes?.split(',') ?? [
  ...costNames.map((cost) => `kv/${cost}`),
  'kv/approximate',
  'least-loaded',
  'power-of-two',
  'round-robin',
]
const quantile = (sorted: number[], part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!)

console.log('mode                 hit %   ttft p50/p90/p99 ms   latency p50/p99 ms   requests a worker   place µs')
for (const mode of modes) {
  const [name, detail] = mode.split('/') as [string, string | undefined]
  let placing = 0
  const outcome = runFleet(trace, fleet, (workers, now) => {
    const options = {
      ...defaultRouterOptions,
      mode: name,
      useKvEvents: detail !== 'approximate',
      ...(detail === undefined || detail === 'approximate' ? {} : { cost: detail }),
    }
    const pool = createPool(workers, options, { clock: { now, after: () => () => {} } })
    const place = pool.place.bind(pool)
    pool.place = (placement, signal) => {
      const began = performance.now()
      const lease = place(placement, signal)
      placing += performance.now() - began
      return lease
    }
    return pool
  })
  const ttft = outcome.ttftMs.sort((a, b) => a - b)
  const latency = outcome.latencyMs.sort((a, b) => a - b)
  const { perWorker } = outcome
  console.log(
    `${mode.padEnd(18)} ${(100 * outcome.hitRate).toFixed(2).padStart(7)}   ` +
      `${[0.5, 0.9, 0.99]
        .map((part) => quantile(ttft, part))
        .join(' / ')
        .padEnd(21)} ${`${quantile(latency, 0.5)} / ${quantile(latency, 0.99)}`.padEnd(20)} ` +
      `${perWorker[0]}–${perWorker.at(-1)!}`.padEnd(20) +
      `${((1000 * placing) / trace.length).toFixed(0)}`,
  )
}
