// The media routes in an app: with a model, without one, and operators' routes beside them.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { Handler } from '../../../src/openai/call.ts'
import { FormFields } from '../../../src/openai/media/form-fields.ts'
import type { MediaFront, MediaHandlers } from '../../../src/serve/media/media-front.ts'
import { mediaRoutes } from '../../../src/serve/media/routes.ts'
import { testApp } from '../../helpers/fakes/app.ts'

const health = { check: async () => [] }

/** A front whose handlers tell which of them was asked, and with what body. */
function front(more: Partial<MediaFront> = {}): MediaFront {
  const tell = (name: string): Handler => {
    return async (call) => {
      call.begin('painter', false)
      const body = call.body instanceof FormFields ? 'form' : call.body
      call.outcome({})
      return Response.json({ name, body })
    }
  }
  const names = new Set(mediaRoutes.map(({ operation }) => operation))
  const handlers = Object.fromEntries([...names].map((name) => [name, tell(name)])) as unknown as MediaHandlers
  return {
    models: () => [{ id: 'painter', aliases: ['org/painter'], createdSecs: 1, makes: 'image' }],
    ready: () => true,
    ...{ health, inFlight: () => 0, handlers: async () => handlers, workers: () => [] },
    ...more,
  }
}

const app = testApp({ media: front() })

test.each(mediaRoutes)(
  '$method $path is answered by its own handler and has a line in the log',
  async ({ method, path, operation, body }) => {
    const at = path.replace(':id', 'video_1').replace('*', 'users/x.png')
    const init: RequestInit = { method }
    if (method === 'POST' && body !== 'none') Object.assign(init, { body: '{"a":1}', headers: { 'content-type': 'application/json' } })
    const answer = (await (await app.get(at, init)).json()) as { name: string; body: unknown }
    expect(answer.name).toBe(operation)
    if (init.body !== undefined) expect(answer.body).toEqual({ a: 1 })
    expect(app.lines.at(-1)).toMatchObject({ method, path: at, status: 200, ending: 'done' })
  },
)

test('forms are read where they are taken, and only there', async () => {
  const body = new FormData()
  body.append('prompt', 'x')
  const edit = await app.get('/v1/images/edits', { method: 'POST', body })
  expect(await edit.json()).toEqual({ name: 'editImages', body: 'form' })
  expect((await app.get('/v1/images/generations', { method: 'POST', body })).status).toBe(415)
})

test('methods that a route does not have are told', async () => {
  const answer = await app.get('/v1/videos/video_1', { method: 'PUT' })
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'DELETE, GET, HEAD, OPTIONS'])
})

test('/v1/models lists media models, without a context', async () => {
  const { data } = (await (await app.get('/v1/models')).json()) as { data: { id: string; makes?: string; max_model_len?: number }[] }
  expect(data.slice(-2).map(({ id, makes, max_model_len }) => [id, makes, max_model_len])).toEqual([
    ['painter', 'image', undefined],
    ['org/painter', 'image', undefined],
  ])
  expect((await app.get('/v1/models/org/painter')).status).toBe(200)
})

test('while the server drains nothing new is taken, and what is there can still be looked at', async () => {
  const draining = testApp({ media: front(), state: () => 'draining' })
  expect((await draining.get('/v1/videos/video_1')).status).toBe(200)
  expect((await draining.post('/v1/videos', { prompt: 'x' })).status).toBe(503)
})

test('a queue that is full answers with the status that the operator chose', async () => {
  const full: Handler = async () => {
    throw new AppError('overloaded', { message: 'full', retryAfterSecs: 7 })
  }
  const handlers = async () => ({ generateImages: full }) as unknown as MediaHandlers
  const busy = testApp({ media: front({ handlers }), limits: { overloadStatus: 503 } })
  const answer = await busy.post('/v1/images/generations', { prompt: 'x' })
  expect([answer.status, answer.body.error.code, answer.headers.get('retry-after')]).toEqual([503, 'overloaded', '7'])
})

test('without such a model: 404 for what is asked, 503 while nothing is served', async () => {
  const text = testApp()
  const unknown = await text.post('/v1/images/generations', { prompt: 'x', model: 'painter' })
  expect([unknown.status, unknown.body.error.code]).toEqual([404, 'model_not_found'])
  expect((await text.get('/media/x.png')).status).toBe(404)
  expect(await (await text.get('/v1/videos')).json()).toMatchObject({ object: 'list', data: [] })
})

test('operations are for operators, in SGLang’s shapes and in Dynamo’s', async () => {
  const asked: unknown[] = []
  const control = async (name: string, args: object) => {
    asked.push([name, args])
    return name === 'list_loras' ? { loaded_adapters: [] } : null
  }
  const workers = () => ['a', 'b'].map((id) => ({ id, engine: { ready: true, control } }))
  const open = testApp({ media: front({ workers }), controlRoutes: true })
  expect((await open.post('/v1/set_lora', { lora_nickname: 'x' })).body).toMatchObject({ status: 'ok' })
  expect(asked).toEqual(Array(2).fill(['set_lora', { lora_nickname: 'x' }]))
  expect(await (await open.get('/v1/list_loras')).json()).toEqual({ loaded_adapters: [] })
  expect((await open.post('/engine/list_loras?worker_id=b', {})).body).toMatchObject({ results: [{ worker_id: 'b' }] })
  expect((await open.post('/engine/flush_cache', {})).body.error.message).toContain('set_lora')
})

test('without --control-api operators’ routes say how they are had', async () => {
  const text = testApp()
  const told = async (to: typeof app, path: string) => {
    const { status, body } = await to.post(path, {})
    expect([status, body.error.code]).toEqual([404, 'route_not_found'])
    return body.error.message as string
  }
  for (const path of ['/v1/set_lora', '/v1/merge_lora_weights', '/v1/list_loras', '/engine/list_loras', '/engine'])
    expect(await told(app, path)).toMatch(/--control-api.*--system-port/)
  for (const path of ['/engine/flush_cache', '/engine/control/flush_cache', '/clear_kv_blocks', '/busy_threshold'])
    expect(await told(text, path)).toMatch(/--control-api.*--system-port/)
  // Listed, and yet not to be had by a flag.
  for (const [to, path] of [
    [app, '/clear_kv_blocks'],
    [text, '/v1/set_lora'],
    [testApp({ controlRoutes: true }), '/v1/set_lora'],
  ] as const)
    expect(await told(to, path)).toContain('another kind of model')
  expect(await told(app, '/v1/set_loras')).toContain('GET /openapi.json')
})

test.each([
  ['/v1/videos/generations', 'POST /v1/videos.'],
  ['/v1/video/generations', 'POST /v1/videos.'],
  ['/v1/images', 'POST /v1/images/generations.'],
])('POST %s names the route that is meant', async (path, meant) => {
  const { status, body } = await app.post(path, { prompt: 'x' })
  expect([status, body.error.code]).toEqual([404, 'route_not_found'])
  expect(body.error.message).toContain(meant)
})
