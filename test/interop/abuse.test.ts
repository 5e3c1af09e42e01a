// Clients that behave badly on the socket: slow heads and bodies, half-open connections, huge and deep bodies. Each is bounded; others are served meanwhile.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { model } from '../helpers/openai.ts'
import { eventually, idle, type Started, start } from '../helpers/processes/start.ts'

let server: Started
beforeAll(async () => {
  server = await start()
})
afterAll(() => server?.stop())

const sockets: Socket[] = []
afterAll(() => {
  for (const socket of sockets) socket.destroy()
})

/** A raw connection that remembers what it got and whether the server ended it. */
async function raw(): Promise<{ socket: Socket; got: () => string; ended: () => boolean }> {
  const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true })
  sockets.push(socket)
  let text = ''
  let over = false
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('end', () => {
    over = true
  })
  socket.on('close', () => {
    over = true
  })
  socket.on('error', () => {
    over = true
  })
  await new Promise<void>((done) => socket.once('connect', () => done()))
  return { socket, got: () => text, ended: () => over }
}

const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 4 })
const post = (text: string | Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } })
const served = async () => expect((await post(body)).status).toBe(200)
const head = (length: number) =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`

describe('slow clients', () => {
  // Bun ends them after 12 s, also when they drip.
  test('200 connections that never finish their head, or begin it, or drip, do not keep others out, and are ended', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, raw))
    for (const [i, { socket }] of slow.entries()) if (i % 20 > 0) socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-slow: ')
    const drip = setInterval(() => {
      for (const [at, drop] of ['a', 'b\r\nx-a: '].entries()) if (slow[at + 1]!.socket.writable) slow[at + 1]!.socket.write(drop)
    }, 500)
    await served()
    await eventually('all of them are ended', () => slow.every(({ ended }) => ended()), 50_000).finally(() => clearInterval(drip))
    await idle(server)
  }, 60_000)
  test('a body in pieces is one body', async () => {
    const { socket, got } = await raw()
    socket.write(head(body.length))
    for (let i = 0; i < body.length; i += 20) {
      socket.write(body.slice(i, i + 20))
      await Bun.sleep(2)
    }
    await eventually('an answer', () => got().includes('chat.completion'))
    expect(got()).toStartWith('HTTP/1.1 200')
  })
  test('a body that stops half way holds no slot of the engine', async () => {
    const half = await Promise.all(Array.from({ length: 50 }, raw))
    for (const { socket } of half) socket.write(head(body.length) + body.slice(0, 30))
    await served()
    expect(await server.metric('dynamo_frontend_inflight_requests')).toBe(0)
    for (const { socket } of half) socket.destroy()
    await served()
  })
})

describe('half-open connections', () => {
  test('a client that ends its side after the request still gets its answer', async () => {
    const { socket, got } = await raw()
    socket.end(head(body.length) + body)
    await eventually('an answer or the end', () => got().includes('chat.completion') || got().startsWith('HTTP/1.1 4'), 5000).catch(
      () => undefined,
    )
    // Either is sound; a request that runs on for ever is not.
    await idle(server)
  })
  test('clients that vanish in the middle of their request', async () => {
    for (let i = 0; i < 100; i++) {
      const { socket } = await raw()
      socket.write((head(body.length) + body).slice(0, Math.floor(Math.random() * 200)))
      if (i % 2 === 0) socket.resetAndDestroy()
      else socket.destroy()
    }
    await served()
    await idle(server)
  })
})

describe('bodies', () => {
  // biome-ignore lint/suspicious/noExplicitAny: an error answer of any shape
  const refused = async (answer: Response): Promise<[number, any]> => [answer.status, ((await answer.json()) as any).error]
  test('50 MB are refused with 413, with and without a length told before', async () => {
    const big = JSON.stringify({ model, messages: [{ role: 'user', content: 'x'.repeat(50 << 20) }] })
    expect(await refused(await post(big))).toEqual([413, expect.objectContaining({ code: 'body_too_large' })])
    const chunked = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(1 << 20).fill(32))
      },
    })
    const [status] = await refused(await post(chunked).catch(() => Response.json({ error: {} }, { status: 413 })))
    expect(status).toBe(413)
    await served()
  }, 60_000)
  test('a length that lies does not hang', async () => {
    const { socket, got, ended } = await raw()
    socket.write(`${head(2 ** 40)}{}`)
    await eventually('a refusal', () => got().startsWith('HTTP/1.1 413') || ended(), 15_000)
    await served()
  }, 30_000)
  test.each([
    ['arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['objects', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['in a known field', JSON.stringify({ model, messages: [] }).replace('[]', '['.repeat(5000) + ']'.repeat(5000))],
    ['in a schema', body.replace('}', `},"response_format":${'{"properties":'.repeat(5000)}1${'}'.repeat(5000)}`)],
  ])('deep JSON: %s', async (_, deep) => {
    const [status, error] = await refused(await post(deep))
    expect(status).toBe(400)
    expect(error.type).toBe('invalid_request_error')
    await served()
  })
  test.each([
    ['nothing', ''],
    ['half a text', '{"model": "m'],
    ['no object', '[1]'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['a lone surrogate', `{"model": "${model}", "messages": [{"role": "user", "content": "\\ud800"}], "max_tokens": 2}`],
  ])('%s: no 5xx', async (_, text) => {
    expect((await post(text)).status).toBeLessThan(500)
    await served()
  })
})
