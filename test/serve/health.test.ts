// Health asks the engine itself: one token per rank, only while it is idle, and keeps the answer for a while.
import { expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import type { EngineEvent, EngineInfo, GenerateRequest, Sink } from '../../src/engine/types.ts'
import { createHealth } from '../../src/serve/health.ts'
import { testApp } from '../helpers/fakes/app.ts'

const info: EngineInfo = {
  kind: 'mock',
  version: '1',
  level: 'mock',
  modelPath: 'tiny',
  isEmbedding: false,
  contextLength: 100,
  maxPromptTokens: 99,
  vocabSize: 50,
  eosIds: [0],
  blockSize: 16,
  dpSize: 2,
  maxRunningRequests: 8,
  totalKvTokens: 1000,
  role: 'aggregated',
  kvEvents: false,
}

/** An engine that answers canaries as told. */
function fakeEngine(answer: 'token' | 'silence' | 'abort' = 'token') {
  const asked: GenerateRequest[] = []
  const listeners: ((event: EngineEvent) => void)[] = []
  const state = { ready: true, inFlight: 0, answer }
  const engine: Engine = {
    info,
    get ready() {
      return state.ready
    },
    start: async () => info,
    async generate(request: GenerateRequest, sink: Sink) {
      asked.push(request)
      if (state.answer === 'silence') return
      const usage = { promptTokens: 1, completionTokens: 1, cachedTokens: 0, reasoningTokens: 0 }
      sink.end(state.answer === 'token' ? { kind: 'length' } : { kind: 'abort', message: 'scheduler is gone' }, usage)
    },
    embed: async () => ({ vector: new Float32Array(1), promptTokens: 1 }),
    control: async () => null,
    metrics: async () => '',
    inFlight: () => state.inFlight,
    on(listener) {
      listeners.push(listener)
      return () => {}
    },
    stop: async () => {},
  }
  const emit = (event: EngineEvent) => {
    for (const listener of listeners) listener(event)
  }
  return { engine, asked, state, emit }
}

function healthOf(engine: Engine, canaryFreshMs = 10_000) {
  return createHealth({ workers: () => [{ id: 'w0', engine }], canary: () => true, canaryFreshMs, canaryTimeoutMs: 30 })
}

test('every rank is asked for one token, and not again while the proof is fresh', async () => {
  const { engine, asked } = fakeEngine()
  const health = healthOf(engine)
  const [worker] = await health.check()
  expect(worker).toMatchObject({ id: 'w0', healthy: true, ready: true, ranks: [{ canary: 'passed' }, { canary: 'passed' }] })
  await health.check()
  expect(asked.map((request) => [request.dpRank, request.sampling.max_new_tokens])).toEqual([
    [0, 1],
    [1, 1],
  ])
})

test('checks at the same time share one canary', async () => {
  const { engine, asked } = fakeEngine()
  const health = healthOf(engine)
  await Promise.all([health.check(), health.check(), health.check()])
  expect(asked.length).toBe(2)
})

test('a busy engine is not asked', async () => {
  const { engine, asked, state } = fakeEngine()
  state.inFlight = 3
  const [worker] = await healthOf(engine).check()
  expect(worker).toMatchObject({ healthy: true, inFlight: 3, ranks: [{ canary: 'unknown' }, { canary: 'unknown' }] })
  expect(asked).toEqual([])
})

test('a busy engine whose load stands still is asked, one whose load moves is not', async () => {
  const { engine, asked, state, emit } = fakeEngine('silence')
  state.inFlight = 3
  const health = createHealth({
    workers: () => [{ id: 'w0', engine }],
    canary: () => true,
    canaryFreshMs: 0,
    canaryTimeoutMs: 5,
    stallMs: 40,
  })
  expect((await health.check())[0]).toMatchObject({ healthy: true })
  await Bun.sleep(45)
  emit({ kind: 'load', rank: 0, running: 3, waiting: 0, usedTokens: 1, totalTokens: 2 })
  expect((await health.check())[0]).toMatchObject({ healthy: true })
  expect(asked).toEqual([])
  await Bun.sleep(45)
  expect((await health.check())[0]).toMatchObject({ healthy: false })
})

test.each([
  ['silence', /no answer within 30 ms/],
  ['abort', /scheduler is gone/],
] as const)('%s makes it unhealthy, until it answers again', async (answer, error) => {
  const { engine, state } = fakeEngine(answer)
  const health = healthOf(engine, 0)
  expect((await health.check())[0]).toMatchObject({
    healthy: false,
    ranks: [{ canary: 'failed', error: expect.stringMatching(error) }, {}],
  })
  state.answer = 'token'
  expect((await health.check())[0]).toMatchObject({ healthy: true })
})

test('an engine that restarts says why, and has to prove itself again', async () => {
  const { engine, asked, state, emit } = fakeEngine()
  const health = healthOf(engine)
  await health.check()
  state.ready = false
  emit({ kind: 'state', ready: false, reason: 'restarting after a crash' })
  expect((await health.check())[0]).toMatchObject({ healthy: false, ready: false, reason: 'restarting after a crash', ranks: [] })
  state.ready = true
  emit({ kind: 'state', ready: true, reason: 'ready' })
  await health.check()
  expect(asked.length).toBe(4)
})

test('/health, /ready and /live tell the same story over HTTP', async () => {
  const { engine, state } = fakeEngine()
  const life = { state: 'ready' as 'starting' | 'ready' | 'leaving' }
  const app = testApp({ workers: () => [{ id: 'w0', engine }], state: () => life.state })
  const statuses = async () => Promise.all(['/live', '/ready', '/health'].map(async (path) => (await app.get(path)).status))
  expect(await statuses()).toEqual([200, 200, 200])
  life.state = 'leaving'
  expect(await statuses()).toEqual([200, 503, 503])
  life.state = 'ready'
  state.ready = false
  expect(await statuses()).toEqual([200, 503, 503])
  expect((await (await app.get('/health')).json()) as object).toMatchObject({
    status: 'unhealthy',
    models: ['tiny'],
    workers: [{ id: 'w0', healthy: false }],
  })
})
