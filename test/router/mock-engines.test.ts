// The pool over engines that compute, cache, evict and tell of it: what it believes is what they did.
import { afterEach, expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import type { MockOptions } from '../../src/engine/mock/options.ts'
import type { RouterOptions } from '../../src/router/options.ts'
import type { Placement } from '../../src/router/router.ts'
import { started } from '../engine/mock/world.ts'
import { testPool, tokens } from '../helpers/fakes/router-pool.ts'
import { type Ran, requestOf, runRequest, until } from '../helpers/run-request.ts'

const idle = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 }
const engines: Engine[] = []

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop(0)))
})

async function fleet(count: number, options: Partial<RouterOptions> = {}, mock: Partial<MockOptions> = {}) {
  const workers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const engine = await started({ totalKvTokens: 4096, ...mock })
      engines.push(engine)
      return { id: `w${i}`, engine }
    }),
  )
  const { pool, workers: set } = testPool(workers, options)
  const signal = new AbortController().signal

  /** One request as the pipeline runs it; gives back where it ran. */
  async function run(
    promptIds: Uint32Array,
    placement: Partial<Placement> = {},
    abort = signal,
  ): Promise<Ran & { at: string; believed: number }> {
    const lease = await pool.place({ requestId: 'r', promptIds, ...placement }, signal)
    let ran: Ran | undefined
    try {
      const rank = lease.dpRank === undefined ? {} : { dpRank: lease.dpRank }
      ran = await runRequest(lease.engine as Engine, requestOf([...promptIds], { max_new_tokens: 4 }, rank), abort, () => lease.started())
      return { ...ran, at: `${lease.workerId}/${lease.dpRank ?? 0}`, believed: lease.overlapTokens }
    } finally {
      lease.release({ ...(ran?.usage ? { usage: ran.usage } : {}), ...(ran?.error ? { error: ran.error } : {}) })
    }
  }
  return { pool, set, workers, run }
}

const prompt = (seed: number, count = 161) => tokens(count, seed).map((id) => 3 + (id % 900))

test('a conversation finds its cache again, on its worker and rank', async () => {
  const { run, pool } = await fleet(2, { predictedTtlSecs: 0 }, { dpSize: 2 })
  const first = await Promise.all([1, 2, 3, 4].map((seed) => run(prompt(seed))))
  expect(new Set(first.map((one) => one.at)).size).toBe(4)
  for (const [i, seed] of [1, 2, 3, 4].entries()) {
    const again = await run(Uint32Array.from([...prompt(seed), ...prompt(seed + 10, 40)]))
    expect(again.at).toBe(first[i]!.at)
    expect(again.usage!.cachedTokens).toBeGreaterThanOrEqual(160)
    expect(again.believed).toBe(160)
  }
  expect(pool.booked()).toEqual(idle)
})

test('what an engine evicted is not believed in any more', async () => {
  const { run } = await fleet(1, { predictedTtlSecs: 0 }, { totalKvTokens: 1024 })
  await run(prompt(1))
  for (let seed = 2; seed < 9; seed++) await run(prompt(seed))
  const again = await run(prompt(1))
  expect([again.believed, again.usage!.cachedTokens]).toEqual([0, 0])
})

test('a flushed cache is not believed in any more', async () => {
  const { run, workers } = await fleet(1)
  await run(prompt(1))
  await workers[0]!.engine.control('flush_cache', {})
  const again = await run(prompt(1))
  expect([again.believed, again.usage!.cachedTokens]).toEqual([0, 0])
})

test('without events the pool finds the same worker by what it sent there', async () => {
  const { run } = await fleet(3, { useKvEvents: false })
  for (const seed of [1, 2, 3]) {
    const first = await run(prompt(seed))
    const again = await run(prompt(seed))
    expect([again.at, again.believed]).toEqual([first.at, 160])
    expect(again.usage!.cachedTokens).toBeGreaterThan(0)
  }
})

test('crashes, aborts and joins leave nothing booked', async () => {
  const { run, pool, set, workers } = await fleet(2, {}, { failure: 'crash-after=60,restart=20', speedupRatio: 1000 })
  const spare = await started()
  engines.push(spare)
  const runs: Promise<unknown>[] = []
  for (let i = 0; i < 60; i++) {
    const client = new AbortController()
    runs.push(run(prompt(i % 7), {}, client.signal).catch(() => {}))
    if (i % 5 === 0) client.abort()
    if (i === 20) set.add({ id: 'spare', engine: spare })
    if (i === 40) set.remove('w0')
    await Bun.sleep(1)
  }
  await Promise.all(runs)
  expect(pool.booked()).toEqual(idle)
  await until('the engines are idle', () => [...workers, { engine: spare }].every(({ engine }) => engine.inFlight() === 0))
  expect((await run(prompt(1))).at).toBeString()
})
