import { describe, expect, test } from 'bun:test'
import { registry } from '../../../src/lib/metrics.ts'
import { logFields } from '../../../src/router/choice/explain.ts'
import { fakeWorker, testPool, tokens } from '../../helpers/fakes/router-pool.ts'

const request = { requestId: 'r', promptIds: tokens(70) }

describe('explain', () => {
  test('tells every candidate with overlap, load and cost, and books nothing', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b', { dpSize: 2 })]
    const { pool, place } = testPool([a, b], { cost: 'dynamo' })
    a.holds(tokens(32))
    place({ workerId: 'b', dpRank: 1, promptIds: tokens(16) })
    const before = pool.booked()
    const decision = pool.explain(request)
    expect(decision).toMatchObject({
      mode: 'kv',
      blockSize: 16,
      promptTokens: 70,
      promptBlocks: 5,
      chosen: 'a/0',
      reason: 'the lowest cost of 3',
    })
    expect(decision.candidates.map(({ terms, ...rest }) => rest)).toEqual([
      {
        workerId: 'a',
        dpRank: 0,
        overlap: { device: 2, host: 0, disk: 0, predicted: 0 },
        load: { prefillTokens: 0, decodeBlocks: 0, requests: 0 },
        cost: 70 / 16 - 2 + 5,
      },
      {
        workerId: 'b',
        dpRank: 0,
        overlap: { device: 0, host: 0, disk: 0, predicted: 0 },
        load: { prefillTokens: 0, decodeBlocks: 0, requests: 0 },
        cost: 70 / 16 + 5,
      },
      {
        workerId: 'b',
        dpRank: 1,
        overlap: { device: 1, host: 0, disk: 0, predicted: 1 },
        load: { prefillTokens: 16, decodeBlocks: 1, requests: 1 },
        cost: 86 / 16 - 1 + 5,
      },
    ])
    expect(decision.candidates[2]!.terms).toMatchObject({ promptBlocks: 5, device: 1, prefillTokens: 16, blocks: 1, blocksAfter: 5 })
    expect(pool.booked()).toEqual(before)
  })

  test('tells why a candidate is out, and what it would have cost', () => {
    const [down, pinned, busy] = [fakeWorker('down'), fakeWorker('pinned'), fakeWorker('busy')]
    const { pool, place } = testPool([down, pinned, busy], { activePrefillTokensThreshold: 10 })
    down.engine.ready = false
    place({ workerId: 'busy' })
    busy.holds(tokens(32))
    const named = pool.explain({ ...request, workerId: 'pinned' })
    expect(named).toMatchObject({ chosen: 'pinned/0', reason: 'the request names this worker' })
    expect(named.candidates.map((one) => one.excluded)).toEqual(['not the worker asked for', undefined, 'not the worker asked for'])
    const open = pool.explain(request)
    expect(open.candidates.map((one) => one.excluded)).toEqual(['not ready', undefined, 'busy: prefill tokens'])
    expect(open.candidates[2]).toMatchObject({ overlap: { device: 4 }, cost: expect.any(Number) })
  })

  test('tells why there is no choice', () => {
    const a = fakeWorker('a')
    const { pool, place } = testPool([a], { engineRequestLimit: 1 })
    place()
    expect(pool.explain(request)).toMatchObject({ chosen: null, reason: 'every worker is at its limit: it would wait in the queue' })
    a.engine.ready = false
    expect(pool.explain(request)).toMatchObject({ chosen: null, reason: 'no worker is ready' })
    expect(testPool([]).pool.explain(request)).toMatchObject({ chosen: null, candidates: [] })
  })

  test('policies that do not score tell loads only', () => {
    const { pool } = testPool([fakeWorker('a'), fakeWorker('b')], { mode: 'least-loaded' })
    const { mode, reason, candidates } = pool.explain(request)
    expect([mode, reason, candidates[0]!.cost]).toEqual(['least-loaded', 'least-loaded among 2', undefined])
  })
})

test('the log has one short line a decision', () => {
  const [a, b, c] = [fakeWorker('a'), fakeWorker('b'), fakeWorker('c')]
  const { pool } = testPool([a, b, c])
  a.holds(tokens(32))
  b.engine.ready = false
  expect(logFields(pool.explain(request))).toEqual({
    worker: 'a/0',
    mode: 'kv',
    reason: 'the lowest cost of 2',
    prompt_tokens: 70,
    overlap_tokens: 32,
    candidates: { 'a/0': 7.38, 'b/0': 'not ready', 'c/0': 9.38 },
  })
})

test('/metrics has placements, overlap and bookings by rank while the pool lives', async () => {
  const a = fakeWorker('figures')
  const { pool, place } = testPool([a], {}, { model: 'figures' })
  a.holds(tokens(32))
  place({ promptIds: tokens(64) })
  const lines = (await registry.metrics()).split('\n').filter((line) => line.includes('worker_id="figures"'))
  expect(lines).toEqual([
    'dynamo_component_router_requests_total{worker_id="figures",dp_rank="0"} 1',
    'dynamo_component_router_prompt_blocks_total{worker_id="figures",dp_rank="0"} 4',
    'dynamo_component_router_overlap_blocks_total{worker_id="figures",dp_rank="0"} 2',
    'dynamo_frontend_worker_active_prefill_tokens{worker_id="figures",dp_rank="0"} 32',
    'dynamo_frontend_worker_active_decode_blocks{worker_id="figures",dp_rank="0"} 4',
    'dynamo_frontend_worker_active_requests{worker_id="figures",dp_rank="0"} 1',
  ])
  expect(await registry.metrics()).toContain('dynamo_component_router_kv_hit_rate_sum{model="figures"} 0.5')
  pool.close()
  expect(await registry.metrics()).not.toContain('worker_id="figures"')
})
