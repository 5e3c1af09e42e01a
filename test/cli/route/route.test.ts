import { expect, test } from 'bun:test'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../program.ts'

const decision = { mode: 'kv', blockSize: 16, promptTokens: 3, promptBlocks: 1, chosen: 'w/0', reason: 'why', candidates: [] as unknown[] }

/** A server that remembers what it was asked. */
function server(answer: object, status = 200) {
  const asked: { path: string; session: string | null; body: unknown }[] = []
  const http = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      asked.push({ path: new URL(request.url).pathname, session: request.headers.get('x-dynamo-session-id'), body: await request.json() })
      return Response.json(answer, { status })
    },
  })
  return { asked, url: http.url.origin, [Symbol.dispose]: () => void http.stop(true) }
}

test('a prompt goes to /debug/route, the answer is a table or JSON', async () => {
  using http = server(decision)
  const table = await run(['route', '--url', http.url, '--prompt', 'a b', '--session', 's'])
  expect(table).toMatchObject({ code: 0, out: expect.stringContaining('kv: goes to w/0: why') })
  const json = await run(['route', '--url', http.url, '--prompt', 'a b', '--chat', '--model', 'm', '--json'])
  expect(JSON.parse(json.out)).toEqual(decision)
  expect(http.asked).toEqual([
    { path: '/debug/route', session: 's', body: { prompt: 'a b' } },
    { path: '/debug/route', session: null, body: { model: 'm', messages: [{ role: 'user', content: 'a b' }] } },
  ])
})

test('a long prompt comes from a file', async () => {
  using http = server(decision)
  const path = join(mkdtempSync(join(tmpdir(), 'route-')), 'prompt.txt')
  writeFileSync(path, 'long')
  await run(['route', '--url', http.url, '--prompt', `@${path}`])
  expect(http.asked[0]!.body).toEqual({ prompt: 'long' })
})

test('nobody can take it: exit code 1', async () => {
  using http = server({ ...decision, chosen: null })
  expect(await run(['route', '--url', http.url, '--prompt', 'x'])).toMatchObject({
    code: 1,
    out: expect.stringContaining('goes nowhere now'),
  })
})

test('what the server says against it, no server, wrong flags', async () => {
  using http = server({ error: { message: 'The model `m` does not exist.' } }, 404)
  expect((await run(['route', '--url', http.url, '--prompt', 'x'])).err).toContain('The model `m` does not exist.')
  expect(await run(['route', '--url', 'http://127.0.0.1:1', '--prompt', 'x'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('does not answer'),
  })
  expect(await run(['route'])).toMatchObject({ code: 2, err: expect.stringContaining('--prompt') })
  expect(await run(['route', '--prompt', 'x', '--url', 'h:1'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('like http://HOST:PORT'),
  })
})
