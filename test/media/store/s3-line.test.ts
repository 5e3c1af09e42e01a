// An S3 bucket behind a line that is slow, silent or cut: what arrives too late is removed, what stops ends, and nothing is read that nobody wants.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import { S3Client } from 'bun'
import { Hono } from 'hono'
import { log } from '../../../src/lib/log.ts'
import { s3Store } from '../../../src/media/store/s3.ts'
import type { MediaStore } from '../../../src/media/store.ts'
import { mediaHandler } from '../../../src/openai/media/serve.ts'
import { type Broker, startS3 } from '../../helpers/processes/broker.ts'
import { until } from '../../helpers/run-request.ts'
import { type S3Line, s3Line } from './s3-line.ts'

const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', region: 'us-east-1' }
const none = { httpUrl: undefined, maxBytes: undefined, maxAgeMs: undefined, sessionToken: undefined }
const large = Uint8Array.from({ length: 4 << 20 }, (_, i) => (i * 7 + (i >> 9)) & 255)

let server: Broker
let raw: S3Client
let line: S3Line
/** One a test: a bucket that is asked for a part of its names is more than the test server can do. */
let prefix: string
let prefixes = 0
beforeAll(async () => {
  server = await startS3()
  raw = new S3Client({ ...keys, bucket: 'media', endpoint: `http://127.0.0.1:${server.port}` })
})
afterAll(() => server.stop())
beforeEach(() => {
  line = s3Line(server.port)
  prefix = `test-${++prefixes}-`
})
afterEach(() => line.close())

const open = (more: object = {}) => s3Store({ ...none, ...keys, bucket: 'media', prefix, endpoint: line.endpoint, timeoutMs: 500, ...more })
const there = (path: string) => raw.exists(`${prefix}/${path}`)

describe('a put', () => {
  test('has the time that its bytes need on a slow line', async () => {
    const store = await open({ floorBytesPerSec: 1 << 20 })
    line.upBytesPerSec = 3 << 20
    await store.save('slow.mp4', large, 'video/mp4')
    expect((await raw.stat(`${prefix}/slow.mp4`)).size).toBe(large.length)
  })

  test('that arrives after it was given up is removed again', async () => {
    const store = await open()
    line.letAnswer(0)
    await expect(store.save('late.png', Uint8Array.of(1), 'image/png')).rejects.toMatchObject({ code: 'storage_failed' })
    await until('the server has it', () => there('late.png'))
    line.letAnswer(Number.POSITIVE_INFINITY)
    await until('it is gone', async () => !(await there('late.png')))
  })

  test('whose answer is lost is removed again', async () => {
    const store = await open({ timeoutMs: 5000 })
    line.letAnswer(0)
    const saving = store.save('lost.png', Uint8Array.of(1), 'image/png')
    saving.catch(() => {})
    await until('the server has it', () => there('lost.png'))
    line.cut()
    await expect(saving).rejects.toMatchObject({ code: 'storage_failed' })
    line.letAnswer(Number.POSITIVE_INFINITY)
    line.mend()
    await until('it is gone', async () => !(await there('lost.png')))
  })

  test('that nobody waits for any more is over when the store is closed', async () => {
    const store = await open({ timeoutMs: 5000 })
    line.upBytesPerSec = 8 << 20
    let over = false
    // As jobs do at a stop: what was kept for nobody is removed.
    void store
      .save('stop.mp4', large, 'video/mp4')
      .then(() => store.remove('stop.mp4'))
      .then(() => {
        over = true
      })
    await store.close()
    expect([over, await there('stop.mp4')]).toEqual([true, false])
  })
})

test('a store that does not answer at the end is told', async () => {
  const warn = spyOn(log, 'warn').mockImplementation(() => {})
  try {
    const store = await open()
    await store.close()
    expect(warn).toHaveBeenCalledTimes(0)
    line.letAnswer(0)
    const saving = store.save('end.png', Uint8Array.of(1), 'image/png').catch(() => {})
    await store.close()
    expect(warn.mock.calls as unknown[][]).toEqual([[{ place: store.place }, expect.stringContaining('--media-max-age-hours')]])
    await saving
  } finally {
    warn.mockRestore()
  }
})

describe('a read', () => {
  const stored = async (more?: object) => {
    const store = await open(more)
    await raw.write(`${prefix}/r.mp4`, large)
    return (await store.open('r.mp4'))!
  }

  test.each([
    ['whole', 0, large.length],
    ['a part', 1 << 20, large.length],
    ['the first part', 0, 3 << 20],
  ])('%s, of a server that stops in the middle, ends with an error', async (_, start, end) => {
    const file = await stored()
    line.letAnswer(1 << 20)
    await expect(new Response(file.read(start, end)).bytes()).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining('nothing came within 500 ms'),
    })
    await until('its connection is closed', () => line.open() === 0)
  })

  test('of a server that dies in the middle ends with an error', async () => {
    const file = await stored({ timeoutMs: 20_000 })
    line.letAnswer(1 << 20)
    const reading = new Response(file.read(0, large.length)).bytes()
    reading.catch(() => {})
    await until('the part is there', () => line.answered > 1 << 20)
    line.cut()
    await expect(reading).rejects.toMatchObject({ code: 'storage_failed' })
  })

  test('of a reader that is slower than the limit is none', async () => {
    const reader = ((await stored({ timeoutMs: 100 })).read(0, large.length) as ReadableStream<Uint8Array>).getReader()
    let bytes = 0
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (bytes === 0) await Bun.sleep(300)
      bytes += part.value.length
    }
    expect(bytes).toBe(large.length)
  })
})

/** /media over the store, as the server has it. */
function served(store: MediaStore) {
  const handler = mediaHandler(store)
  const app = new Hono().get('/media/*', (c) => handler({ url: c.req.url, headers: c.req.raw.headers } as never))
  return Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 0, fetch: (request) => app.fetch(request) })
}

test('HEAD of a file asks for its size and for none of its bytes', async () => {
  const store = await open()
  await raw.write(`${prefix}/h.mp4`, large)
  const front = served(store)
  try {
    const before = line.answered
    const answer = await fetch(`${front.url}media/h.mp4`, { method: 'HEAD' })
    const told = ['content-length', 'content-type'].map((name) => answer.headers.get(name))
    expect([answer.status, ...told]).toEqual([200, String(large.length), 'video/mp4'])
    await Bun.sleep(300)
    expect(line.asked.filter((one) => one.includes('h.mp4'))).toEqual([`HEAD /media/${prefix}/h.mp4`])
    expect(line.answered - before).toBeLessThan(2000)
    const whole = await fetch(`${front.url}media/h.mp4`)
    expect(Bun.hash(await whole.bytes())).toBe(Bun.hash(large))
  } finally {
    await front.stop(true)
  }
})

test('GET of a file whose bytes stop is cut, so that the half is not taken for the whole', async () => {
  const store = await open()
  await raw.write(`${prefix}/h.mp4`, large)
  const front = served(store)
  line.letAnswer(1 << 20)
  try {
    await expect(fetch(`${front.url}media/h.mp4`).then((answer) => answer.bytes())).rejects.toThrow('closed')
  } finally {
    await front.stop(true)
  }
})

test('a client that leaves ends the download', async () => {
  const store = await open({ timeoutMs: 20_000 })
  await raw.write(`${prefix}/h.mp4`, large)
  const front = served(store)
  line.letAnswer(1 << 20)
  try {
    const reader = (await fetch(`${front.url}media/h.mp4`)).body!.getReader()
    await reader.read()
    await reader.cancel()
    await until('nobody reads it', () => line.open() === 0)
  } finally {
    await front.stop(true)
  }
})
