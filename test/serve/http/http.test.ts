// The real port: what bad connections cost, and that it can be given back.
import { afterEach, expect, spyOn, test } from 'bun:test'
import { connect } from 'node:net'
import { log } from '../../../src/lib/log.ts'
import { type HttpServer, startHttp } from '../../../src/serve/http/http.ts'
import { createSystemApp } from '../../../src/serve/http/system-server.ts'
import { type TestAppOptions, testApp } from '../../helpers/fakes/app.ts'

const servers: HttpServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true)
})

function start(options: TestAppOptions = {}) {
  const app = testApp(options)
  const server = startHttp({ app, host: '127.0.0.1', port: 0 })
  servers.push(server)
  return { app, server, url: server.url }
}

const path = '/v1/chat/completions'
const chat = JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] })
const json = { 'content-type': 'application/json' }

/** Sends raw bytes; resolves with what came back when the other side has closed. */
function raw(port: number, ...writes: string[]): Promise<string> {
  return new Promise((resolve) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', async () => {
      for (const data of writes) {
        socket.write(data)
        await Bun.sleep(5)
      }
    })
    socket.on('data', (data) => {
      got += data
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(got))
  })
}

test('an answer over the wire', async () => {
  const { url } = start()
  const response = await fetch(url + path, { method: 'POST', body: chat, headers: json })
  expect([response.status, response.headers.get('x-worker-id')]).toEqual([200, 'w0'])
  expect((await response.json()) as object).toMatchObject({ object: 'chat.completion' })
})

test('a throw that nobody foresaw is an answer in the shape of OpenAI, without a word of the source', async () => {
  const { app } = start()
  const quiet = spyOn(log, 'error').mockImplementation(() => {})
  const broken = () => {
    throw new Error('secret of the source')
  }
  const server = startHttp({ app: { ...app, posts: new Map([['/post', broken]]), fetch: broken }, host: '127.0.0.1', port: 0 })
  servers.push(server)
  for (const [path, method] of [
    ['/post', 'POST'],
    ['/get', 'GET'],
  ] as const) {
    const response = await fetch(server.url + path, { method })
    const text = await response.text()
    expect([response.status, JSON.parse(text)]).toEqual([
      500,
      expect.objectContaining({ error: expect.objectContaining({ code: 'internal_error' }) }),
    ])
    expect(text).not.toContain('secret')
  }
  quiet.mockRestore()
})

test('a Host header that is no host name cannot change the route', async () => {
  const { server } = start()
  const got = await raw(server.port, 'GET /aaaaaaaa/metrics HTTP/1.1\r\nhost: a b/\\c\r\nconnection: close\r\n\r\n')
  expect(got).toStartWith('HTTP/1.1 400')
  expect(got).toContain('Host header')
})

test('another method on a hot route still gets the shape of OpenAI', async () => {
  const { url } = start()
  const response = await fetch(url + path)
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
})

test('a body that says it is too large is refused before it is read', async () => {
  const { server } = start({ limits: { bodyBytes: 1000, bodyMs: 50 } })
  const got = await raw(
    server.port,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50000000\r\n\r\n{`,
  )
  expect(got).toStartWith('HTTP/1.1 413')
  expect(got).toContain('body_too_large')
})

test('a body of unknown length is read no further than the limit', async () => {
  const { server } = start({ limits: { bodyBytes: 1000 } })
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`
  const chunk = `320\r\n${'a'.repeat(800)}\r\n`
  const got = await raw(server.port, head + chunk, chunk, chunk)
  expect(got).toStartWith('HTTP/1.1 413')
})

test('a chunked body within the limit is an ordinary request', async () => {
  const { server } = start()
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`
  const cut = 20
  const parts = [chat.slice(0, cut), chat.slice(cut)].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
  expect(await raw(server.port, head + parts[0], parts[1]!, '0\r\n\r\n')).toStartWith('HTTP/1.1 200')
})

test('a body that is no UTF-8 is refused, a character that stands for such a byte is not', async () => {
  const { url } = start()
  const post = async (body: Uint8Array | ReadableStream) => (await fetch(url + path, { method: 'POST', headers: json, body })).status
  const latin = Buffer.from(chat.replace('Hi', 'H\u00e9'), 'latin1')
  const replaced = Buffer.from(chat.replace('Hi', 'H\ufffd'))
  expect([await post(latin), await post(new Blob([latin]).stream())]).toEqual([400, 400])
  expect([await post(replaced), await post(new Blob([replaced]).stream())]).toEqual([200, 200])
})

test('HEAD tells the length of what GET sends', async () => {
  const { url } = start()
  const [head, get] = [await fetch(`${url}/v1/models`, { method: 'HEAD' }), await fetch(`${url}/v1/models`)]
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect(head.headers.get('content-length')).toBe(String((await get.bytes()).length))
})

test('a body that does not arrive is given up', async () => {
  const { server } = start({ limits: { bodyMs: 50 } })
  const got = await raw(server.port, `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`)
  expect(got).toStartWith('HTTP/1.1 408')
  expect(got).toContain('request_timeout')
})

test('a client that leaves ends its request', async () => {
  const { app, url } = start({ script: { pieces: Array(1000).fill('x'), paceMs: 5 } })
  const leaving = new AbortController()
  const init = { method: 'POST', body: JSON.stringify({ ...JSON.parse(chat), stream: true }), headers: json, signal: leaving.signal }
  const response = await fetch(url + path, init)
  await response.body!.getReader().read()
  expect(app.inFlight()).toBe(1)
  leaving.abort()
  while (app.inFlight() > 0) await Bun.sleep(5)
  expect(app.lines.findLast((line) => line.msg === 'request')?.ending).toBe('disconnect')
})

test('a port in use is told with the flag that chose it', () => {
  const { server } = start()
  expect(() => startHttp({ app: testApp(), host: '127.0.0.1', port: server.port })).toThrow(/already in use.*--http-port/)
})

test('the system port has probes and nothing else', async () => {
  const system = startHttp({
    app: createSystemApp({
      served: () => [],
      complete: () => false,
      workers: () => [],
      health: { check: async () => [] },
      state: () => 'ready',
      endpoint: 'dyn://test.backend.generate',
      version: '1',
    }),
    host: '127.0.0.1',
    port: 0,
    portFlag: 'DYN_SYSTEM_PORT',
  })
  servers.push(system)
  expect((await fetch(`${system.url}/live`)).status).toBe(200)
  expect(await (await fetch(`${system.url}/metrics`)).text()).toContain('dynamo_frontend_requests_total')
  expect((await fetch(`${system.url}/v1/models`)).status).toBe(404)
})
