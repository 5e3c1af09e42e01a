import { afterAll, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { SseWriter, type SseWriterLimits } from '../../../src/openai/stream/sse-writer.ts'
import { UnreadBudget } from '../../../src/openai/stream/unread-budget.ts'

// A real server and a raw socket: what counts is what the kernel is given.
let onRequest: (writer: SseWriter) => void = () => {}
let overflowed = false
let limits: SseWriterLimits | undefined
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  fetch: () =>
    new Promise<Response>((resolve) => {
      overflowed = false
      onRequest(
        new SseWriter(
          {
            open: (body) => resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } })),
            overflow: () => {
              overflowed = true
            },
          },
          limits,
        ),
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
  // Else a slow start of the request would show what the stream before it came to.
  overflowed = false
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

test('megabytes at once come whole, characters of two code units too', async () => {
  const text = `a${'🙂'.repeat(1_500_000)}`
  onRequest = async (writer) => {
    writer.write('first')
    await Bun.sleep(5)
    writer.write(text)
    writer.write('more')
    await Bun.sleep(0)
    writer.write('last')
    writer.end('END')
  }
  const all = await (await fetch(server.url)).text()
  expect(all.length).toBe('first'.length + text.length + 'morelastEND'.length)
  expect(all).toBe(`first${text}morelastEND`)
})

/** A client that asks and reads nothing. */
function silent(): ReturnType<typeof connect> {
  const socket = connect(server.port!, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  socket.pause()
  return socket
}

/** The last that a client was sent before its connection closed. */
function tail(socket: ReturnType<typeof connect>): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.setEncoding('latin1').on('data', (data) => {
      text = (text + data).slice(-200)
    })
    socket.on('error', () => {}).on('close', () => resolve(text))
    socket.resume()
  })
}

test('streams that nobody reads share a budget; over it the longest silent is cut, and a client that leaves pays back', async () => {
  const budget = new UnreadBudget(100 << 20)
  limits = { maxUnread: 64 << 20, budget }
  const writers: SseWriter[] = []
  onRequest = (writer) => void writers.push(writer)
  const sockets: ReturnType<typeof connect>[] = []
  for (let i = 0; i < 3; i++) {
    sockets.push(silent())
    while (writers.length === i) await Bun.sleep(1)
    writers[i]!.write('head')
    await Bun.sleep(20)
    writers[i]!.write('x'.repeat(48 << 20))
    // The kernel takes some of it, not most. The first is over, but for its client.
    if (i === 0) writers[i]!.end('the end')
    await Bun.sleep(20)
    expect(overflowed).toBe(i === 2)
    expect(budget.sum).toBeLessThanOrEqual(100 << 20)
  }
  expect(writers.map(({ unread }) => unread > 0)).toEqual([false, true, true])
  // It has a part of an event: nothing may follow.
  writers[0]!.end('more')
  expect(await tail(sockets[0]!)).toMatch(/x{100}$/)
  for (const socket of sockets) socket.destroy()
  for (let i = 0; i < 500 && budget.sum > 0; i++) await Bun.sleep(10)
  expect(budget.sum).toBe(0)
  limits = undefined
})

test('one event may be larger than what may wait, and is read whole', async () => {
  limits = { maxUnread: 1 << 20, budget: new UnreadBudget(64 << 20) }
  onRequest = async (writer) => {
    writer.write('head')
    await Bun.sleep(5)
    writer.write('x'.repeat(20 << 20))
    await Bun.sleep(5)
    writer.end('END')
  }
  expect(await (await fetch(server.url)).text()).toHaveLength((20 << 20) + 7)
  expect([overflowed, limits.budget!.sum]).toEqual([false, 0])
  limits = undefined
})

test.each([
  ['leaves', false],
  ['reads it', true],
])('the end of an answer waits for a client that then %s', async (then, whole) => {
  const waits = Promise.withResolvers<{ sent: Promise<boolean> }>()
  onRequest = async (writer) => {
    do {
      writer.write('x'.repeat(1 << 18))
      await Bun.sleep(1)
    } while (writer.unread < 1 << 20)
    waits.resolve({ sent: writer.end('END') })
  }
  const socket = connect(server.port!, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
  socket.pause()
  const { sent } = await waits.promise
  expect(await Promise.race([sent, Bun.sleep(50).then(() => 'waits')])).toBe('waits')
  if (then === 'leaves') socket.destroy()
  else socket.resume()
  expect(await sent).toBe(whole)
})
