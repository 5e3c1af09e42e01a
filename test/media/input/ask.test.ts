import { afterAll, expect, test } from 'bun:test'
import { createServer, type Socket } from 'node:net'
import { readInput } from '../../../src/media/input/input.ts'
import { defaultPolicy, type InputPolicy } from '../../../src/media/input/policy.ts'
import { until } from '../../helpers/run-request.ts'
import { whole } from './pictures.ts'

const policy: InputPolicy = { ...defaultPolicy, allowInternal: true }
const ending: (() => unknown)[] = []
afterAll(() => Promise.all(ending.map((end) => end())))

const read = (url: string, own: Partial<InputPolicy> = {}, signal = new AbortController().signal) =>
  readInput({ url }, { ...policy, ...own }, 'image', signal)

/** A server that says `words` to whoever asks, `ends` the connection or not, and counts who is there. */
function saying(words: string, ends: boolean) {
  const open = new Set<Socket>()
  const asked: string[] = []
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    socket.on('data', (head) => {
      asked.push(String(head).split('\r\n')[0]!)
      socket.write(words, () => ends && socket.destroy())
    })
  }).listen(0, '127.0.0.1')
  const { port } = server.address() as { port: number }
  ending.push(() => server.close())
  return { url: `http://127.0.0.1:${port}`, open, asked }
}

test('400 servers that let us wait keep no other picture out, nor anything else that asks by fetch', async () => {
  const slow = saying('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\nx', false)
  const quick = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(whole.png) })
  ending.push(() => quick.stop(true))
  const client = new AbortController()
  const waiting = Array.from({ length: 400 }, (_, i) => read(`${slow.url}/${i}.png`, {}, client.signal).catch(({ code }) => code))
  await until('all of them were asked', () => slow.open.size === 400)
  expect((await read(`${quick.url}a.png`)).length).toBeGreaterThan(100)
  expect((await fetch(quick.url)).ok).toBe(true)
  client.abort()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['client_closed_request']))
  await until('nobody is asked any more', () => slow.open.size === 0)
})

test('an answer that breaks off is no picture, whether its length was told or not', async () => {
  for (const head of ['content-length: 1000\r\n\r\n', 'transfer-encoding: chunked\r\n\r\n64\r\n']) {
    const { url } = saying(`HTTP/1.1 200 OK\r\n${head}${'x'.repeat(100)}`, true)
    await expect(read(url)).rejects.toMatchObject({ code: 'invalid_image', message: expect.stringContaining('broke the connection off') })
  }
})

test('an answer that is no HTTP, or has an endless head, ends at once', async () => {
  for (const words of ['SSH-2.0-x\r\n\r\n', `HTTP/1.1 200 OK\r\nx-a: ${'y'.repeat(100_000)}`]) {
    const { url } = saying(words, false)
    const message = "The image at image could not be fetched: its server's answer is not HTTP."
    await expect(read(url)).rejects.toMatchObject({ code: 'invalid_image', message })
  }
  const message = expect.stringContaining('is not HTTP')
  await expect(read(saying('HTTP/1.1 what?\r\n\r\n', true).url, { byProxy: true })).rejects.toMatchObject({ message })
})

test('a proxy of the environment is asked where the policy says that there is one, else nobody but the server', async () => {
  const proxy = saying('HTTP/1.1 502 no\r\ncontent-length: 0\r\n\r\n', false)
  const { url, asked } = saying('HTTP/1.1 404 no\r\ncontent-length: 0\r\n\r\n', false)
  const before = process.env.http_proxy
  process.env.http_proxy = proxy.url
  try {
    await expect(read(`${url}/a.png`, { byProxy: true })).rejects.toMatchObject({ message: expect.stringContaining('answered 502') })
    expect([proxy.asked, asked]).toEqual([[`GET ${url}/a.png HTTP/1.1`], []])
    await expect(read(`${url}/b.png`)).rejects.toMatchObject({ message: expect.stringContaining('answered 404') })
    expect([proxy.asked.length, asked]).toEqual([1, ['GET /b.png HTTP/1.1']])
  } finally {
    if (before === undefined) delete process.env.http_proxy
    else process.env.http_proxy = before
  }
})
