import { expect, test } from 'bun:test'
import { type LoadedModel, modelRegistry } from '../../../src/pipeline/model.ts'
import { testApp } from '../../helpers/fakes/app.ts'
import { firstRouter } from '../../helpers/fakes/first-router.ts'
import { letterTokenizer } from '../../helpers/fakes/letter-tokenizer.ts'
import { scriptedEngine, scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'

test('where a prompt would go, by query and by the body of a request', async () => {
  const app = testApp()
  const byQuery = await (await app.get('/debug/route?prompt=hello&model=tiny')).json()
  expect(byQuery).toMatchObject({ model: 'tiny', mode: 'kv', chosen: 'w0/0', candidates: [] })
  expect(app.pipeline.requests[0]).toMatchObject({ model: 'tiny', prompt: { kind: 'text', text: 'hello' } })
  const chat = await app.post(
    '/debug/route',
    { messages: [{ role: 'user', content: 'Hi' }], nvext: { backend_instance_id: 'w3' } },
    { 'x-session-id': 's' },
  )
  expect(chat.body.chosen).toBe('w0/0')
  expect(app.pipeline.requests[1]).toMatchObject({ model: 'tiny', prompt: { kind: 'chat' }, workerId: 'w3', sessionId: 's' })
})

test('what is wrong with the question is told as for the request itself', async () => {
  const app = testApp()
  const parameter = async (answer: Promise<{ body: { error: { param: string } } }>) => (await answer).body.error.param
  expect(await parameter(app.post('/debug/route', { prompt: 'x', temperature: 9 }))).toBe('temperature')
  expect(await parameter(app.post('/debug/route', { model: 'nobody', prompt: 'x' }))).toBe('model')
  expect(await (await app.get('/debug/route')).json()).toMatchObject({ error: { param: 'prompt' } })
})

const engines = { w0: scriptedEngine(), w1: scriptedEngine() }
const router = firstRouter(engines)
const models = modelRegistry()
const model: LoadedModel = {
  served: { id: 'letters', aliases: [], createdSecs: 0, contextLength: 100, isEmbedding: false },
  tokenizer: letterTokenizer(),
  template: undefined,
  samplingDefaults: {},
  engineTokenizes: false,
  router,
  info: scriptedInfo,
}
models.add(model)
const workers = Object.entries(engines).map(([id, engine]) => ({ id, engine }))

test('workers with their role, readiness and bookings', async () => {
  engines.w1.ready = false
  const lease = await router.place({ requestId: 'r', promptIds: Uint32Array.of(1) }, new AbortController().signal)
  const app = testApp({ workers: () => workers, models })
  const { workers: told } = (await (await app.get('/debug/workers')).json()) as { workers: object[] }
  const role = { kind: 'mock', role: 'aggregated' }
  expect(told).toMatchObject([
    { worker_id: 'w0', ready: true, in_flight: 0, ...role, ranks: [{ dp_rank: 0, booked: { requests: 1 } }] },
    { worker_id: 'w1', ready: false, ...role, ranks: [{ dp_rank: 0, booked: { requests: 0 } }] },
  ])
  lease.release()
})

test('busy thresholds are told and changed, model by model', async () => {
  let now = {}
  models.add({ ...model, router: { ...router, busyThresholds: (change) => (now = { ...now, ...change }) } })
  const app = testApp({ workers: () => workers, models, controlRoutes: true })
  const set = await app.post('/busy_threshold', { model: 'letters', active_decode_blocks_threshold: 0.8 })
  const all = {
    model: 'letters',
    active_decode_blocks_threshold: 0.8,
    active_prefill_tokens_threshold: null,
    active_prefill_tokens_threshold_frac: null,
  }
  expect(set.body).toEqual(all)
  expect(await (await app.get('/busy_threshold')).json()).toEqual({ thresholds: [all] })
  expect((await app.post('/busy_threshold', { model: 'letters', active_decode_blocks_threshold: null })).body).toMatchObject({
    active_decode_blocks_threshold: null,
  })
  const wrong = await app.post('/busy_threshold', { model: 'letters', active_decode_blocks_threshold: 2 })
  expect([wrong.status, wrong.body.error.param]).toEqual([400, 'active_decode_blocks_threshold'])
  expect((await app.post('/busy_threshold', {})).body.error.param).toBe('model')
  expect((await app.post('/busy_threshold', { model: 'nobody' })).status).toBe(404)
})
