// Two real SGLang engines behind the KV router: prompts go where their blocks are, by live events alone, and the engine's own `cachedTokens` proves it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SglangEngine, sglangEngine } from '../../src/engine/sglang/engine.ts'
import { createRouter, type ModelRouter } from '../../src/router/create.ts'
import { defaultRouterOptions } from '../../src/router/options.ts'
import type { Lease } from '../../src/router/router.ts'
import { workerSet } from '../../src/router/workers.ts'
import { need } from '../helpers/need.ts'
import { requestOf, runRequest, until } from '../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../helpers/sglang.ts'

const python = sglangPython()
const model = tinyModel()
const size = 16
const never = new AbortController().signal

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && model !== undefined))('kv routing', () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'kv-routing-'))
  const engines: SglangEngine[] = []
  const workers = workerSet()
  let router: ModelRouter
  beforeAll(async () => {
    // Nothing is predicted: what the router knows, it knows by events.
    router = createRouter(workers, { ...defaultRouterOptions, mode: 'kv', predictedTtlSecs: 0 })
    for (let i = 0; i < 2; i++)
      engines.push(sglangEngine({ python: python!, args: cpuArgs(model!), env: cpuEnv(), cacheDir, kvEvents: true }))
    await Promise.all(engines.map((engine) => engine.start()))
    for (const [i, id] of ['one', 'two'].entries()) workers.add({ id, engine: engines[i]! })
  }, 400_000)
  afterAll(async () => {
    router?.close()
    await Promise.all(engines.map((engine) => engine.stop(0)))
    rmSync(cacheDir, { recursive: true, force: true })
  }, 60_000)

  const prompt = (from: number, length = 160) => Uint32Array.from({ length }, (_, i) => 20 + ((from * 131 + i * 7) % 900))
  const place = async (ids: Uint32Array) => router.place({ requestId: 'r', promptIds: ids, maxNewTokens: 2 }, never)
  async function run(lease: Lease, ids: Uint32Array) {
    try {
      const generate = { generate: lease.engine.generate.bind(lease.engine) } as SglangEngine
      return (await runRequest(generate, requestOf([...ids], { max_new_tokens: 2, ignore_eos: true }))).usage!
    } finally {
      lease.release()
    }
  }
  const overlapOn = (ids: Uint32Array, id: string) =>
    router.explain({ requestId: 'e', promptIds: ids }).candidates.find(({ workerId }) => workerId === id)!.overlap.device
  const full = (ids: Uint32Array) => Math.floor(ids.length / size)

  test('every prompt finds its blocks again, on the worker that has them', async () => {
    const prompts = Array.from({ length: 6 }, (_, i) => prompt(i))
    // All at once, so that the load spreads them.
    const homes = new Map<Uint32Array, string>()
    const first = await Promise.all(prompts.map(async (ids) => ({ ids, lease: await place(ids) })))
    for (const { ids, lease } of first) homes.set(ids, lease.workerId)
    expect(new Set(homes.values()).size).toBe(2)
    for (const usage of await Promise.all(first.map(({ ids, lease }) => run(lease, ids)))) expect(usage.cachedTokens).toBe(0)
    await until('the events', () => prompts.every((ids) => overlapOn(ids, homes.get(ids)!) === full(ids)))
    for (const ids of [...prompts, ...prompts.toReversed()]) {
      const lease = await place(ids)
      expect(lease.workerId).toBe(homes.get(ids)!)
      expect(lease.overlapTokens).toBe(full(ids) * size)
      // The last token is always computed, and with it its block.
      expect((await run(lease, ids)).cachedTokens).toBe((full(ids) - 1) * size)
    }
    expect(router.booked()).toEqual({ requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 })
  }, 120_000)

  test('a longer prompt goes to the worker of its beginning', async () => {
    const [start, other] = [prompt(50), prompt(51)]
    const leases = [await place(start), await place(other)]
    await Promise.all([run(leases[0]!, start), run(leases[1]!, other)])
    await until('the events', () => overlapOn(start, leases[0]!.workerId) === full(start))
    const longer = Uint32Array.from([...start, ...prompt(52, 48)])
    const lease = await place(longer)
    expect(lease.workerId).toBe(leases[0]!.workerId)
    expect((await run(lease, longer)).cachedTokens).toBe(full(start) * size)
  }, 60_000)

  test('what a worker flushed is no longer looked for there', async () => {
    const ids = prompt(60)
    const home = await place(ids)
    await run(home, ids)
    await until('the events', () => overlapOn(ids, home.workerId) === full(ids))
    await workers.find(home.workerId)!.engine.control('flush_cache', {})
    await until('the flush is told', () => overlapOn(ids, home.workerId) === 0)
    const lease = await place(ids)
    expect(lease.overlapTokens).toBe(0)
    expect((await run(lease, ids)).cachedTokens).toBe(0)
  }, 60_000)
})
