// Routes, methods, headers, limits and log lines: what surrounds every answer.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { requestsTotal } from '../../../src/lib/metrics.ts'
import type { LifeState } from '../../../src/serve/lifecycle.ts'
import { testApp } from '../../helpers/fakes/app.ts'

const path = '/v1/chat/completions'
const chat = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] }

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  return ((await response.json()) as { error: { code: string; message: string } }).error
}

test('an unknown route is 404 in the shape of OpenAI', async () => {
  const response = await testApp().get('/nope')
  expect(response.status).toBe(404)
  expect(await errorOf(response)).toMatchObject({ code: 'route_not_found', message: expect.stringContaining('GET /nope') })
  expect(response.headers.get('x-request-id')).toMatch(/^\w{32}$/)
})

test.each([
  ['GET', path, 'POST, OPTIONS'],
  ['DELETE', '/v1/models', 'GET, HEAD, OPTIONS'],
  ['PUT', '/v1/models/a/b', 'GET, HEAD, OPTIONS'],
])('%s %s is 405 and says what is allowed', async (method, at, allow) => {
  const response = await testApp().get(at, { method })
  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe(allow)
  expect(await errorOf(response)).toMatchObject({ code: 'method_not_allowed' })
})

test('HEAD is GET without a body; OPTIONS tells the methods', async () => {
  const app = testApp()
  const head = await app.get('/v1/models', { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const options = await app.get(path, { method: 'OPTIONS' })
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS'])
})

test('browsers of other sites are let in only where the server says so', async () => {
  const headers = { origin: 'https://a.example', 'access-control-request-headers': 'x-thing' }
  expect((await testApp().get('/v1/models', { headers })).headers.get('access-control-allow-origin')).toBeNull()
  const app = testApp({ corsOrigin: '*' })
  const preflight = await app.get(path, { method: 'OPTIONS', headers })
  expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
  expect(preflight.headers.get('access-control-allow-headers')).toBe('x-thing')
  expect((await app.post(path, chat, headers)).headers.get('access-control-allow-origin')).toBe('*')
  expect((await app.get('/v1/models', { headers })).headers.get('access-control-allow-origin')).toBe('*')
})

test.each([
  [null, 415],
  ['text/plain', 415],
  ['application/x-www-form-urlencoded', 415],
  ['application/json; charset=utf-8', 200],
  ['application/vnd.api+json', 200],
])('content-type %p gives %i', async (type, status) => {
  const app = testApp()
  // A blob without a type, or the request would get text/plain by itself.
  const response = await app.get(path, {
    method: 'POST',
    body: new Blob([JSON.stringify(chat)]),
    headers: type === null ? {} : { 'content-type': type },
  })
  expect(response.status).toBe(status)
  if (status === 415)
    expect(await errorOf(response)).toMatchObject({ code: 'unsupported_media_type', message: expect.stringContaining('application/json') })
})

test('a packed body is refused by name', async () => {
  const answer = await testApp().post(path, chat, { 'content-encoding': 'gzip' })
  expect([answer.status, answer.body.error.code]).toEqual([415, 'unsupported_media_type'])
  expect(answer.body.error.message).toContain('gzip')
})

test.each([
  ['[', ''],
  ['{"a":', '1'],
  ['"\\\\\\"", [', ''],
])('megabytes of %s are refused before they are parsed', async (piece, end) => {
  const answer = await testApp().post(path, `[${piece.repeat(2_000_000)}${end}`)
  expect(answer.body.error).toMatchObject({ code: 'invalid_json', message: expect.stringContaining('nested deeper') })
})

test('brackets in strings are no nesting', async () => {
  const content = '[{"\\'.repeat(50_000)
  expect((await testApp().post(path, { model: 'tiny', messages: [{ role: 'user', content }] })).status).toBe(200)
})

test('a request id that would not be safe is replaced', async () => {
  const app = testApp()
  expect((await app.post(path, chat, { 'x-request-id': 'a"b' })).headers.get('x-request-id')).toMatch(/^\w{32}$/)
  expect((await app.post(path, chat, { 'x-request-id': 'ok-1.2' })).headers.get('x-request-id')).toBe('ok-1.2')
})

test('more requests than allowed are refused with Retry-After; the count comes back down', async () => {
  const app = testApp({ limits: { inFlight: 1, overloadStatus: 503 }, script: { paceMs: 20 } })
  const [first, second] = await Promise.all([app.post(path, chat), app.post(path, chat)])
  expect([first.status, second.status]).toEqual([200, 503])
  expect(second.body.error).toMatchObject({ code: 'overloaded' })
  expect(second.headers.get('retry-after')).toBe('1')
  expect((await app.post(path, chat)).status).toBe(200)
  expect(app.inFlight()).toBe(0)
})

test('a server that drains refuses new requests', async () => {
  const app = testApp({ state: () => 'draining' })
  const answer = await app.post(path, chat)
  expect([answer.status, answer.body.error.code, answer.headers.get('connection')]).toEqual([503, 'shutting_down', 'close'])
})

test('a server that leaves says so where its engines have left before it', async () => {
  const gone = new AppError('engine_unavailable', { message: 'No engine is ready.', retryAfterSecs: 5 })
  const code = async (state: LifeState) => {
    const app = testApp({ state: () => state, script: { fail: { after: 0, error: gone } } })
    return (await app.post(path, chat)).body.error.code
  }
  expect([await code('ready'), await code('leaving')]).toEqual(['engine_unavailable', 'shutting_down'])
})

test('one log line and one count a request, however it ends', async () => {
  const app = testApp()
  const count = async (status: string, code: string) =>
    (await requestsTotal.get()).values
      .filter(({ labels }) => labels.status === status && labels.error_type === code && labels.endpoint === 'chat_completions')
      .reduce((sum, { value }) => sum + value, 0)
  const before = [await count('success', ''), await count('error', 'model_not_found')]
  await app.post(path, chat, { 'x-request-id': 'a' })
  await app.post(path, { ...chat, model: 'nope' }, { 'x-request-id': 'b' })
  await app.post(path, { ...chat, stream: true }, { 'x-request-id': 'c' }).catch(() => {})
  const lines = app.lines.filter((line) => line.msg === 'request')
  expect(
    lines.map(({ id, status, ending, model, worker, completionTokens }) => ({ id, status, ending, model, worker, completionTokens })),
  ).toEqual([
    { id: 'a', status: 200, ending: 'done', model: 'tiny', worker: 'w0', completionTokens: 2 },
    { id: 'b', status: 404, ending: 'model_not_found', model: 'nope', worker: undefined, completionTokens: undefined },
    { id: 'c', status: 200, ending: 'done', model: 'tiny', worker: 'w0', completionTokens: 2 },
  ])
  expect([await count('success', ''), await count('error', 'model_not_found')]).toEqual([before[0]! + 2, before[1]! + 1])
})

test('an unforeseen failure is 500 without its text; the log has the cause', async () => {
  const app = testApp()
  app.pipeline.run = async () => {
    throw new TypeError('secret detail')
  }
  const answer = await app.post(path, chat)
  expect([answer.status, answer.body.error.code]).toEqual([500, 'internal_error'])
  expect(answer.body.error.message).not.toContain('secret')
  expect(String(app.lines.at(-1)?.cause)).toContain('secret detail')
})

test('an error inside a stream is an event, then the end', async () => {
  const error = new AppError('engine_failed', { message: 'gone' })
  const app = testApp({ script: { fail: { after: 1, error }, paceMs: 1 } })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...chat, stream: true }) }
  const response = await app.get(path, init)
  expect(response.status).toBe(200)
  const events = (await response.text()).trim().split('\n\n').slice(-2)
  expect(JSON.parse(events[0]!.slice(6)).error).toMatchObject({ code: 'engine_failed', message: 'gone' })
  expect(events[1]).toBe('data: [DONE]')
})

test('/openapi.json describes every route; /docs needs nothing from elsewhere', async () => {
  const app = testApp()
  const document = (await (await app.get('/openapi.json')).json()) as { paths: Record<string, Record<string, unknown>> }
  for (const route of app.posts.keys()) expect(document.paths[route]?.post).toBeDefined()
  for (const route of ['/v1/models', '/live', '/ready', '/health', '/metrics']) expect(document.paths[route]?.get).toBeDefined()
  const page = await (await app.get('/docs')).text()
  expect(page).not.toMatch(/https?:\/\//)
})
