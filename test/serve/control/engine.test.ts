import { expect, test } from 'bun:test'
import type { Engine } from '../../../src/engine/engine.ts'
import { mockEngine } from '../../../src/engine/mock/engine.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { testApp } from '../../helpers/fakes/app.ts'
import { scriptedEngine } from '../../helpers/fakes/scripted-engine.ts'

async function app(engines: Record<string, Engine> = {}, controlRoutes = true) {
  const made = Object.keys(engines).length > 0 ? engines : { a: mock(), b: mock() }
  await Promise.all(Object.values(made).map((engine) => engine.start()))
  const workers = Object.entries(made).map(([id, engine]) => ({ id, engine }))
  return { ...testApp({ workers: () => workers, controlRoutes }), ...made, engines: made }
}
const mock = () => mockEngine({ modelPath: 'm', vocabSize: 100, textIds: [5, 6, 7], eosIds: [0], speedupRatio: 1000 })

test('an operation runs on every worker', async () => {
  const { post } = await app()
  const { status, body } = await post('/engine/flush_cache', {})
  expect(status).toBe(200)
  const done = { success: true, message: '' }
  expect(body).toEqual({
    status: 'ok',
    operation: 'flush_cache',
    results: [
      { worker_id: 'a', status: 'ok', result: done },
      { worker_id: 'b', status: 'ok', result: done },
    ],
  })
})

test('one worker, by query or body; an unknown one is refused', async () => {
  const { post, engines } = await app()
  expect((await post('/engine/pause_generation?worker_id=b', {})).body.results).toMatchObject([{ worker_id: 'b' }])
  expect([engines.a!.ready, engines.b!.ready]).toEqual([true, false])
  expect((await post('/engine/continue_generation', { worker_id: 'b' })).body.results).toMatchObject([{ worker_id: 'b' }])
  expect(engines.b!.ready).toBe(true)
  const unknown = await post('/engine/flush_cache', { worker_id: 'z' })
  expect([unknown.status, unknown.body.error.param, unknown.body.error.message]).toEqual([400, 'worker_id', 'No worker z; known: a, b.'])
})

test('released memory takes no traffic until it is taken again', async () => {
  const { post, engines } = await app()
  expect((await post('/engine/control/release_memory_occupation', { worker_id: 'a' })).status).toBe(200)
  expect(engines.a!.ready).toBe(false)
  await post('/engine/control/resume_memory_occupation', { worker_id: 'a', tags: ['weights'] })
  expect(engines.a!.ready).toBe(false)
  await post('/engine/control/resume_memory_occupation', { worker_id: 'a' })
  expect(engines.a!.ready).toBe(true)
})

test('a worker that cannot release its memory goes on', async () => {
  const asked: string[] = []
  const engine = scriptedEngine()
  engine.control = async (name) => {
    asked.push(name)
    if (name === 'release_memory_occupation') throw new AppError('engine_rejected', { message: 'no memory saver' })
    return null
  }
  expect((await (await app({ a: engine })).post('/engine/release_memory_occupation', {})).status).toBe(400)
  expect(asked).toEqual(['pause_generation', 'release_memory_occupation', 'continue_generation'])
})

test.each([
  ['update_weights_from_disk', { model_path: '/m' }],
  ['update_weights_from_distributor', { names: [] }],
  ['update_weights_from_distributed', { names: [] }],
  ['update_weights_from_tensor', {}],
  ['update_weight_version', { new_version: 'v2' }],
  ['start_profile', {}],
  ['stop_profile', {}],
  ['start_expert_distribution_record', {}],
  ['stop_expert_distribution_record', {}],
  ['dump_expert_distribution_record', {}],
  ['load_lora', { lora_name: 'l', lora_path: '/l' }],
  ['list_loras', {}],
  ['clear_kv_blocks', {}],
])('%s is served under both spellings', async (name, body) => {
  const { post } = await app()
  expect((await post(`/engine/${name}`, body)).status).toBe(200)
  expect((await (await app()).post(`/engine/control/${name}`, body)).body.status).toBe('ok')
})

test('what the engine says no to is an error, and each worker has its own', async () => {
  const { post } = await app()
  await post('/engine/load_lora?worker_id=a', { lora_name: 'l', lora_path: '/l' })
  const twice = await post('/engine/load_lora', { lora_name: 'l', lora_path: '/l' })
  expect([twice.status, twice.body.status, twice.body.error.message]).toEqual([409, 'error', 'LoRA adapter l is loaded already'])
  expect(twice.body.results).toMatchObject([{ status: 'error' }, { status: 'ok' }])
  expect((await post('/engine/update_weights_from_disk', {})).body.error.message).toBe('model_path is missing')
})

test("an engine's failure has its status, and a result of SGLang's can be a failure too", async () => {
  const failing = scriptedEngine()
  failing.control = async () => {
    throw new AppError('engine_failed', { message: 'out of memory' })
  }
  expect(await (await app({ a: failing })).post('/engine/start_profile', {})).toMatchObject({
    status: 500,
    body: { error: { message: 'out of memory', code: 'engine_failed' } },
  })
  const refusing = scriptedEngine()
  refusing.control = async () => [false, 'no such file', 0]
  const { status, body } = await (await app({ a: refusing })).post('/engine/update_weights_from_disk', { model_path: 'x' })
  expect([status, body.error.message]).toEqual([409, 'no such file'])
})

test('an unknown operation is 404 with the list', async () => {
  const { post, get } = await app()
  const { status, body } = await post('/engine/dance', {})
  expect(status).toBe(404)
  expect(body.error.message).toContain('flush_cache')
  const { operations } = (await (await get('/engine')).json()) as { operations: { name: string }[] }
  expect(operations.map(({ name }) => name)).toContain('update_weights_from_distributor')
})

test('a body that is no object, and no worker at all, are told', async () => {
  expect((await (await app()).post('/engine/flush_cache', '[1]')).body.error.code).toBe('invalid_type')
  const none = testApp({ workers: () => [], controlRoutes: true })
  expect(await none.post('/engine/flush_cache', {})).toMatchObject({ status: 503, body: { error: { code: 'engine_unavailable' } } })
  expect((await none.post('/engine/flush_cache', {})).headers.get('retry-after')).toBe('5')
})

test('the API port has none of this unless it is asked for', async () => {
  const { post } = await app({}, false)
  for (const path of ['/engine/flush_cache', '/clear_kv_blocks', '/busy_threshold'])
    expect((await post(path, {})).body.error.code).toBe('route_not_found')
})

test('a request without a body is one with an empty body', async () => {
  const { get } = await app()
  expect((await get('/clear_kv_blocks', { method: 'POST' })).status).toBe(200)
})

test('each operation stands in the document', async () => {
  const document = (await (await (await app()).get('/openapi.json')).json()) as { paths: Record<string, object> }
  const post = (document.paths['/engine/{name}'] as { post: { parameters: { schema: { enum: string[] } }[] } }).post
  expect(post.parameters[0]!.schema.enum).toContain('update_weights_from_distributor')
})

test('a name that is no text is an operation that is not there', async () => {
  const { post } = await app()
  expect((await post('/engine/%E0%A4%A', {})).status).toBe(404)
})
