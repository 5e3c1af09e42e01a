// The http engine against a small stand-in of SGLang's server: what a healthy one would not show.
import { afterEach, expect, test } from 'bun:test'
import { httpEngine } from '../../../../src/engine/sglang/http/engine.ts'
import type { EngineEvent } from '../../../../src/engine/types.ts'
import { requestOf, runRequest, until } from '../../../helpers/run-request.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A server whose /generate streams token after token until it is aborted by its rid. */
function serve(generate?: (body: Record<string, unknown>) => Response, port = 0) {
  const seen = { aborts: new Set<string>(), auth: new Set<string | null>(), bodies: [] as Record<string, unknown>[] }
  const server = Bun.serve({
    port,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      seen.auth.add(request.headers.get('authorization'))
      const path = new URL(request.url).pathname
      if (path === '/get_server_info')
        return Response.json({ version: '0.1', context_length: 64, max_req_input_len: 60, page_size: 4, stream_output: true })
      if (path === '/get_model_info') return Response.json({ model_path: '/m', is_generation: true })
      if (request.method === 'GET') return new Response('', { status: 404 })
      const body = (await request.json()) as Record<string, unknown>
      if (path === '/abort_request') {
        seen.aborts.add(body.rid as string)
        return new Response('')
      }
      seen.bodies.push(body)
      return generate?.(body) ?? stream(body.rid as string, seen.aborts)
    },
  })
  closing.push(() => server.stop(true))
  return { server, seen, url: `http://127.0.0.1:${server.port}/` }
}

function stream(rid: string, aborts: Set<string>): Response {
  let made = 0
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await Bun.sleep(5)
        const finish_reason = aborts.has(rid) ? { type: 'abort', message: 'Abort in progress' } : null
        const event = { output_ids: [10 + made], meta_info: { prompt_tokens: 1, completion_tokens: ++made, finish_reason } }
        controller.enqueue(`data: ${JSON.stringify(event)}\n\n`)
        if (!finish_reason) return
        controller.enqueue('data: [DONE]\n\n')
        controller.close()
      },
    }),
  )
}

async function attach(url: string) {
  const engine = httpEngine({ url, apiKey: 'key', watchMs: 20 })
  const events: EngineEvent[] = []
  engine.on((event) => events.push(event))
  closing.unshift(() => engine.stop(0))
  await engine.start()
  return { engine, events }
}

test('the facts of an older server are read, and the key is shown', async () => {
  const { seen, url } = serve()
  const { engine } = await attach(url)
  expect(engine.info).toMatchObject({
    kind: 'http',
    version: '0.1',
    modelPath: '/m',
    contextLength: 64,
    maxPromptTokens: 60,
    blockSize: 4,
    isEmbedding: false,
  })
  expect([...seen.auth]).toEqual(['Bearer key'])
})

test('nobody there: start rejects', async () => {
  const start = httpEngine({ url: 'http://127.0.0.1:9', startWaitMs: 20 }).start()
  await expect(start).rejects.toMatchObject({ code: 'engine_unavailable', message: expect.stringContaining('No SGLang server answers') })
})

test('a server that comes up later is waited for, with a notice', async () => {
  const first = serve()
  const { url } = first
  await first.server.stop(true)
  const notices: string[] = []
  const engine = httpEngine({ url, onNotice: (text) => notices.push(text) })
  closing.unshift(() => engine.stop(0))
  const started = engine.start()
  await until('it waits', () => notices.length === 1)
  serve(undefined, Number(new URL(url).port))
  expect(await started).toMatchObject({ version: '0.1' })
  expect(notices).toEqual([expect.stringContaining('waiting for it')])
})

test('stop ends the wait', async () => {
  const waits = Promise.withResolvers<string>()
  const engine = httpEngine({ url: 'http://127.0.0.1:9', onNotice: waits.resolve })
  const started = engine.start()
  started.catch(() => {})
  await waits.promise
  await engine.stop(0)
  await expect(started).rejects.toMatchObject({ code: 'engine_unavailable' })
})

test('something else that answers is not waited for', async () => {
  const other = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('', { status: 404 }) })
  closing.push(() => other.stop(true))
  const notices: string[] = []
  const engine = httpEngine({ url: other.url.href, onNotice: (text) => notices.push(text) })
  await expect(engine.start()).rejects.toMatchObject({
    message: expect.stringMatching(
      /^Something answers at .* not an SGLang server.*: GET \/server_info answered 404, GET \/get_server_info/,
    ),
  })
  expect(notices).toEqual([])
})

test('300 streams at once can still be aborted', async () => {
  const { seen, url } = serve()
  const { engine } = await attach(url)
  const abort = new AbortController()
  const all = Array.from({ length: 300 }, () => runRequest(engine, requestOf([1]), abort.signal))
  await until('all streams', () => seen.bodies.length === 300)
  abort.abort()
  for (const ran of await Promise.all(all)) expect(ran.finish).toMatchObject({ kind: 'abort' })
  expect(seen.aborts.size).toBe(300)
  expect(engine.inFlight()).toBe(0)
})

test('a server deaf to aborts: the caller still gets its end', async () => {
  const { url } = serve((body) => stream(body.rid as string, new Set()))
  const { engine } = await attach(url)
  const abort = new AbortController()
  const running = runRequest(engine, requestOf([1]), abort.signal, () => abort.abort())
  expect((await running).finish).toMatchObject({ kind: 'abort' })
})

test.each([
  [400, { error: { message: 'too long' } }, 'engine_rejected', 'too long'],
  [400, { error: 'input_ids: bad' }, 'engine_rejected', 'input_ids: bad'],
  [503, { message: 'queue full' }, 'engine_unavailable', 'queue full'],
  [500, { detail: 'boom' }, 'engine_failed', 'boom'],
])('a refusal with %p is told', async (status, body, code, message) => {
  const { url } = serve(() => Response.json(body, { status }))
  const { engine } = await attach(url)
  const { error } = await runRequest(engine, requestOf([1]))
  expect(error).toMatchObject({ code, status })
  expect(error!.message).toContain(message)
  expect(engine.ready).toBe(true)
})

test('a stream that breaks off fails, a server that is gone makes it unready, and one that is back ready again', async () => {
  const first = serve(() => new Response('data: {"output_ids":[1],"meta_info":{"completion_tokens":1}}\n\n'))
  const { engine, events } = await attach(first.url)
  expect((await runRequest(engine, requestOf([1]))).error).toMatchObject({ code: 'engine_failed' })
  await until('attached again', () => engine.ready)
  await first.server.stop(true)
  await until('unready', () => !engine.ready)
  expect((await runRequest(engine, requestOf([1]))).error).toMatchObject({ code: 'engine_unavailable' })
  expect(events.filter((event) => event.kind === 'state').map((event) => event.ready)).toEqual([true, false, true, false])
})
