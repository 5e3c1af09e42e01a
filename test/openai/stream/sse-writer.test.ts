import { afterAll, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { SseWriter } from '../../../src/openai/stream/sse-writer.ts'

// A real server and a raw socket: what counts is what the kernel is given.
let onRequest: (writer: SseWriter) => void = () => {}
let overflowed = false
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  fetch: () =>
    new Promise<Response>((resolve) => {
      overflowed = false
      onRequest(
        new SseWriter({
          open: (body) => resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } })),
          overflow: () => {
            overflowed = true
          },
        }),
      )
    }),
})
afterAll(() => server.stop(true))

/** Every chunk of the body as it was sent; Bun sends a body that is over at once in one piece, with its length. */
async function chunks(): Promise<string[]> {
  const raw = await new Promise<string>((resolve) => {
    let text = ''
    const socket = connect(server.port!, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    socket.setEncoding('utf8')
    socket.on('data', (data) => {
      text += data
    })
    socket.on('close', () => resolve(text))
  })
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4)
  if (!/transfer-encoding: chunked/i.test(raw)) return [body]
  const out: string[] = []
  let rest = Buffer.from(body)
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.subarray(0, line).toString(), 16)
    if (!(size > 0)) return out
    out.push(rest.subarray(line + 2, line + 2 + size).toString())
    rest = rest.subarray(line + 2 + size + 2)
  }
}

test('all that is written in one turn is one chunk, and unicode survives', async () => {
  onRequest = async (writer) => {
    writer.write('a')
    writer.write('b')
    await Bun.sleep(5)
    writer.write('漢')
    writer.write('🙂"')
    await Bun.sleep(5)
    writer.write('x')
    writer.end('END')
  }
  expect(await chunks()).toEqual(['ab', '漢🙂"', 'xEND'])
})

test('a one-turn answer is one chunk', async () => {
  onRequest = (writer) => {
    writer.write('all')
    writer.end(' of it')
  }
  expect(await chunks()).toEqual(['all of it'])
})

test('nothing can follow the end', async () => {
  onRequest = (writer) => {
    writer.end('last')
    writer.write('late')
  }
  expect(await chunks()).toEqual(['last'])
})

test('a client that does not read is dropped once enough waits for it', async () => {
  const { promise: dropped, resolve } = Promise.withResolvers<void>()
  onRequest = async (writer) => {
    const piece = 'x'.repeat(256 * 1024)
    for (let i = 0; i < 400 && !overflowed; i++) {
      writer.write(piece)
      await Bun.sleep(0)
    }
    resolve()
  }
  const socket = connect(server.port!, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  socket.pause()
  await dropped
  expect(overflowed).toBe(true)
  socket.destroy()
})

test('a client that reads again after it was dropped is told that the answer was cut', async () => {
  onRequest = async (writer) => {
    for (let i = 0; i < 400 && !overflowed; i++) {
      writer.write(`${'x'.repeat(256 * 1024)}\n`)
      await Bun.sleep(0)
    }
    writer.write('lost')
    writer.end('CUT')
  }
  const tail = await new Promise<string>((resolve) => {
    let text = ''
    const socket = connect(server.port!, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    socket.setEncoding('utf8')
    socket.pause()
    const look = setInterval(() => {
      if (!overflowed) return
      clearInterval(look)
      socket.on('data', (data) => {
        text = (text + data).slice(-100)
      })
      socket.on('close', () => resolve(text))
      socket.resume()
    }, 10)
  })
  expect(tail).toContain('CUT')
  expect(tail).not.toContain('lost')
})
