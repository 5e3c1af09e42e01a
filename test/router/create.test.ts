// The router of a model over real mock engines of all roles: who gets a request, what happens when they go, and that nothing is ever left behind.
import { afterEach, describe, expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import type { MockOptions } from '../../src/engine/mock/engine.ts'
import { createRouter, type DisaggOptions, type ModelRouter } from '../../src/router/create.ts'
import { defaultRouterOptions, type RouterOptions } from '../../src/router/options.ts'
import type { Lease, Placement } from '../../src/router/router.ts'
import { type Workers, workerSet } from '../../src/router/workers.ts'
import { started } from '../engine/mock/world.ts'
import { type Ran, requestOf, runRequest, until } from '../helpers/run-request.ts'

const prompt = Array.from({ length: 64 }, (_, i) => 100 + i)
const sampling = { max_new_tokens: 30, ignore_eos: true }

interface World {
  workers: Workers
  router: ModelRouter
  engines: Map<string, Engine>
}
const worlds: World[] = []
afterEach(async () => {
  for (const { router, engines } of worlds.splice(0)) {
    router.close()
    for (const engine of engines.values()) await engine.stop(0)
  }
})

/** Workers by id; the first letter is the role: p1, d1, a1. */
async function world(
  ids: string,
  engine: Partial<MockOptions> | ((id: string) => Partial<MockOptions>) = {},
  options: Partial<RouterOptions & DisaggOptions> = {},
): Promise<World> {
  const workers = workerSet()
  const router = createRouter(workers, { ...defaultRouterOptions, ...options })
  const made: World = { workers, router, engines: new Map() }
  worlds.push(made)
  for (const id of ids.split(' ')) await join(made, id, typeof engine === 'function' ? engine(id) : engine)
  return made
}

async function join({ workers, engines }: World, id: string, more: Partial<MockOptions> = {}): Promise<void> {
  const role = ({ p: 'prefill', d: 'decode' } as const)[id[0]!] ?? 'aggregated'
  const engine = await started({ role, ...more })
  engines.set(id, engine)
  workers.add({ id, engine })
}

let count = 0
const placement = (more: Partial<Placement> = {}): Placement => ({ requestId: `r${++count}`, promptIds: Uint32Array.from(prompt), ...more })
const never = new AbortController().signal

async function place({ router }: World, more: Partial<Placement> = {}): Promise<Lease> {
  return await router.place(placement(more), never)
}

/** As the pipeline does: place, run, release. */
async function ask(made: World, more: Partial<Placement> = {}, signal = never): Promise<Ran & { lease: Lease }> {
  const lease = await made.router.place(placement(more), signal)
  const request = requestOf(prompt, sampling)
  if (lease.dpRank !== undefined) request.dpRank = lease.dpRank
  const ran = await runRequest(lease.engine as Engine, request, signal, () => lease.started())
  lease.release({ ...(ran.usage && { usage: ran.usage }), ...(ran.error && { error: ran.error }) })
  return { ...ran, lease }
}

const sides = ({ prefillWorkerId, workerId }: Lease) => `${prefillWorkerId ?? ''}>${workerId}`
const nothing = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 }
const empty = (made: World) =>
  until('nothing in flight and nothing booked', () => {
    const { requests, prefillTokens, decodeBlocks, queued } = made.router.booked()
    return requests + prefillTokens + decodeBlocks + queued === 0 && [...made.engines.values()].every((engine) => engine.inFlight() === 0)
  })

describe('who gets a request', () => {
  test('one prefill and one decode worker: a pair, which answers like an aggregated worker', async () => {
    const whole = await ask(await world('a1'))
    const made = await world('p1 d1')
    const ran = await ask(made)
    expect(sides(ran.lease)).toBe('p1>d1')
    expect(ran.ids).toEqual(whole.ids)
    await empty(made)
    expect(made.router.booked()).toEqual(nothing)
  })

  test('the prefill side is chosen by what it holds, the decode side by its load', async () => {
    const made = await world('p1 p2 d1 d2')
    const first = await ask(made)
    await Bun.sleep(20) // Its KV events are told after the step.
    const [one, two] = [await place(made), await place(made)]
    expect([one.prefillWorkerId, two.prefillWorkerId]).toEqual([first.lease.prefillWorkerId, first.lease.prefillWorkerId])
    expect(new Set([one.workerId, two.workerId]).size).toBe(2)
    expect(one.overlapTokens).toBeGreaterThanOrEqual(48)
    one.release()
    two.release()
  })

  test('ranks: the room follows the prefill rank', async () => {
    const made = await world('p1 d1', { dpSize: 2 })
    for (const rank of [0, 1]) {
      const ran = await ask(made, { prefillDpRank: rank, prefillWorkerId: 'p1' })
      expect([ran.lease.prefillDpRank, ran.ids.length]).toEqual([rank, 30])
    }
    await empty(made)
  })

  test('pins for each side; a worker of another role is refused by name', async () => {
    const made = await world('p1 p2 d1 d2 a1')
    for (const [p, d] of [['p2', 'd1'], ['p1', 'd2']] as const) // biome-ignore format: a table
      expect(sides((await ask(made, { prefillWorkerId: p, workerId: d })).lease)).toBe(`${p}>${d}`)
    expect(sides((await ask(made, { workerId: 'a1' })).lease)).toBe('>a1')
    expect(place(made, { workerId: 'p1' })).rejects.toMatchObject({ code: 'invalid_value', param: 'nvext.backend_instance_id' })
    expect(place(made, { prefillWorkerId: 'd1' })).rejects.toMatchObject({ code: 'invalid_value', param: 'nvext.prefill_worker_id' })
  })

  test('explain names both sides', async () => {
    const made = await world('p1 d1 d2')
    const decision = made.router.explain(placement())
    expect(decision.candidates.map((one) => one.workerId).sort()).toEqual(['d1', 'd2'])
    expect(decision.prefill!.chosen).toBe('p1/0')
  })

  test('random mode takes random pairs', async () => {
    const made = await world('p1 p2 d1 d2', {}, { mode: 'random' })
    const seen = new Set<string>()
    for (let i = 0; i < 60; i++) seen.add(sides((await ask(made)).lease))
    expect([...seen].sort()).toEqual(['p1>d1', 'p1>d2', 'p2>d1', 'p2>d2'])
  })

  test('short or mostly cached prompts stay on an aggregated worker when asked for', async () => {
    const made = await world('p1 d1 a1', {}, { maxLocalPrefillLength: 20 })
    expect(sides((await ask(made)).lease)).toBe('p1>d1')
    await ask(made, { workerId: 'a1' })
    await Bun.sleep(20)
    expect(sides((await ask(made)).lease)).toBe('>a1')
    expect(sides(await place(made, { promptIds: Uint32Array.from([1, 2, 3]) }))).toBe('>a1')
    const conditional = await world('p1 d1 a1', {}, { conditionalDisagg: true })
    expect(sides((await ask(conditional)).lease)).toBe('p1>d1')
    await ask(conditional, { workerId: 'a1' })
    await Bun.sleep(20)
    expect(sides((await ask(conditional)).lease)).toBe('>a1')
  })

  test('embeddings never go to a pair', async () => {
    const made = await world('p1 d1 a1', (id) => (id === 'a1' ? { isEmbedding: true } : {}))
    const lease = await place(made, { embedding: true })
    expect(sides(lease)).toBe('>a1')
    lease.release()
  })

  test('unequal tensor-parallel sizes are no pair, unless the attention is MLA', async () => {
    const made = await world('p1 d1', (id) => ({ tpSize: id === 'p1' ? 2 : 4 }))
    // The mock answers alone; SGLang's engines would not.
    for (const engine of made.engines.values()) (engine.info as { worksAlone?: boolean }).worksAlone = false
    const refused = await place(made).catch((thrown) => thrown)
    expect(refused).toMatchObject({ code: 'engine_unavailable' })
    expect(refused.message).toContain('size 2')
    expect(refused.message).toContain('size 4')
    await join(made, 'd2', { tpSize: 2 })
    expect(sides((await ask(made)).lease)).toBe('p1>d2')
    const named = await place(made, { prefillWorkerId: 'p1', workerId: 'd1' }).catch((thrown) => thrown)
    expect(named.message).toContain('size 4')
    const mla = await world('p1 d1', (id) => ({ tpSize: id === 'p1' ? 2 : 4, isMla: true }))
    expect(sides((await ask(mla)).lease)).toBe('p1>d1')
  })
})

test('unequal block sizes are no pair: a real decode engine dies of such a prefill engine', async () => {
  const made = await world('p1 d1', (id) => ({ blockSize: id === 'p1' ? 32 : 16 }))
  for (const engine of made.engines.values()) (engine.info as { worksAlone?: boolean }).worksAlone = false
  const refused = await place(made).catch((thrown) => thrown)
  expect(refused.message).toContain('blocks of 32 tokens')
  expect(refused.message).toContain('blocks of 16 tokens')
  await join(made, 'd2', { blockSize: 32 })
  expect(sides((await ask(made)).lease)).toBe('p1>d2')
})

describe('workers come and go', () => {
  test('prefill workers that appear are used, and when the last one goes aggregated workers answer', async () => {
    const made = await world('a1 d1')
    expect(sides((await ask(made)).lease)).toBe('>a1')
    await join(made, 'p1')
    expect(sides((await ask(made)).lease)).toBe('p1>d1')
    made.workers.remove('p1')
    expect(sides((await ask(made)).lease)).toBe('>a1')
  })

  test('without aggregated workers: a decode worker that can work alone answers, one that cannot is told', async () => {
    const made = await world('d1')
    expect(sides((await ask(made)).lease)).toBe('>d1')
    const { info } = made.engines.get('d1')!
    ;(info as { worksAlone?: boolean }).worksAlone = false
    expect(made.router.ready()).toBe(false)
    expect(place(made)).rejects.toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringContaining('No prefill worker is ready'),
    })
  })

  test('enforced: no pair, no answer', async () => {
    const made = await world('a1 d1', {}, { enforceDisagg: true })
    expect(made.router.ready()).toBe(false)
    expect(place(made)).rejects.toMatchObject({ code: 'engine_unavailable', message: expect.stringContaining('--enforce-disagg') })
    await join(made, 'p1')
    expect(sides((await ask(made)).lease)).toBe('p1>d1')
  })

  test('an engine that starts after its worker was added is found when it is ready', async () => {
    const made = await world('d1')
    await made.engines.get('d1')!.control('crash', { restartMs: 20 })
    expect(made.router.ready()).toBe(false)
    await until('ready again', () => made.router.ready())
    expect((await ask(made)).ids.length).toBe(30)
  })

  test('a prefill worker that dies in the middle: the answer fails at once as one that may be tried again, and the next one works', async () => {
    const made = await world('p1 p2 d1', { failure: 'transfer-stall' })
    const answer = ask(made, { prefillWorkerId: 'p1' })
    await until('both legs run', () => made.engines.get('d1')!.inFlight() === 1)
    await made.engines.get('p1')!.control('crash', {})
    expect((await answer).error).toMatchObject({ code: 'engine_failed' })
    await empty(made)
  })
})

/** Deterministic numbers in [0, 1), so that a failure can be repeated. */
function dice(seed: number) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

test('600 requests with cancels and crashes at any moment: every one ends, nothing stays in an engine or booked', async () => {
  const random = dice(11)
  const made = await world('p1 p2 d1 d2 a1', (id) => ({
    dpSize: id[0] === 'a' ? 1 : 2,
    speedupRatio: 20,
    transfer: { baseMs: 60 },
    failure: id === 'p2' ? 'restart=20,transfer-fail=9' : 'restart=20',
  }))
  let left = 600
  let answered = 0
  let failed = 0
  const lane = async () => {
    while (left-- > 0) {
      const stop = new AbortController()
      if (random() < 0.5) setTimeout(() => stop.abort(), random() * 40)
      if (random() < 0.03) {
        const ids = [...made.engines.keys()]
        void made.engines.get(ids[Math.floor(random() * ids.length)]!)!.control('crash', {})
      }
      try {
        const ran = await ask(made, { promptIds: Uint32Array.from(prompt, (id) => id + Math.floor(random() * 50)) }, stop.signal)
        if (ran.finish?.kind === 'length') answered++
        else failed++
      } catch (thrown) {
        expect(['engine_unavailable', 'client_closed_request']).toContain((thrown as { code: string }).code)
        failed++
        await Bun.sleep(5)
      }
    }
  }
  await Promise.all(Array.from({ length: 24 }, lane))
  expect(answered + failed).toBe(600)
  expect(answered).toBeGreaterThan(100)
  await empty(made)
  await until('all are back', () => [...made.engines.values()].every((engine) => engine.ready))
  expect((await ask(made, { prefillWorkerId: 'p1' })).ids.length).toBe(30)
  await empty(made)
  expect(made.router.booked()).toEqual(nothing)
}, 60_000)

test('busy thresholds hold for every pool, also for those that come later', async () => {
  const made = await world('a1')
  expect(made.router.busyThresholds?.({ activePrefillTokensThreshold: 1 })).toMatchObject({ activePrefillTokensThreshold: 1 })
  await join(made, 'p1')
  await join(made, 'd1')
  for (const pool of made.router.pools().values()) expect(pool.busyThresholds()).toMatchObject({ activePrefillTokensThreshold: 1 })
  made.router.busyThresholds?.({ activePrefillTokensThreshold: undefined })
  for (const pool of made.router.pools().values()) expect(pool.busyThresholds().activePrefillTokensThreshold).toBeUndefined()
})
