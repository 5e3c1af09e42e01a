// Two channels on links of this test's own: what is written when, and what is held for a peer that does not read.
import { afterEach, describe, expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { Answerer, type AnswererOptions } from '../../../src/transport/plane/answerer.ts'
import { Channel } from '../../../src/transport/plane/channel.ts'
import { frames } from '../../../src/transport/plane/frame.ts'
import type { IncomingStream } from '../../../src/transport/request-plane.ts'

/** Delivers in the next turn; `stuck` takes nothing more. */
class Wire {
  writes = 0
  stuck = false
  ended = false
  to: (bytes: Uint8Array) => void = () => {}
  write(bytes: Uint8Array): number {
    if (this.stuck) return 0
    this.writes++
    const copy = bytes.slice()
    setImmediate(() => this.to(copy))
    return bytes.length
  }
  end(): void {
    this.ended = true
  }
  terminate(): void {
    this.ended = true
  }
}

const open: Channel[] = []
afterEach(() => {
  for (const channel of open.splice(0)) channel.lost(new AppError('internal_error', { message: 'over' }))
})
const turn = () => new Promise((resolve) => setImmediate(resolve))

function world(more: Partial<AnswererOptions> = {}, client: { secret?: string; instance?: string } = {}) {
  const streams: IncomingStream[] = []
  const [up, down] = [new Wire(), new Wire()]
  const got: { kind: number; stream: number; size: number }[] = []
  const closed: { client?: AppError; server?: AppError } = {}
  const channel = new Channel(
    up,
    { role: 'client', secret: client.secret, instance: client.instance ?? '' },
    {
      ready() {},
      frame: (kind, stream, payload) => void got.push({ kind, stream, size: payload.length }),
      closed(error) {
        closed.client = error
      },
    },
  )
  const options: AnswererOptions = { service: (_, stream) => void streams.push(stream), instance: 'one', secret: undefined, ...more }
  const answerer = new Answerer(down, options, (error) => {
    closed.server = error
  })
  up.to = (bytes) => answerer.channel.received(bytes)
  down.to = (bytes) => channel.received(bytes)
  open.push(channel, answerer.channel)
  const settle = async () => {
    for (let i = 0; i < 8; i++) await turn()
  }
  return { channel, answerer, streams, got, up, down, closed, settle }
}

describe('a channel', () => {
  test('a turn with a hundred messages of ten streams is one write', async () => {
    const { channel, streams, down, got, settle } = world()
    await settle()
    for (let i = 1; i <= 10; i++) channel.send(frames.open, i, new Uint8Array(3))
    await settle()
    expect(streams.length).toBe(10)
    const before = down.writes
    for (let i = 0; i < 100; i++) streams[i % 10]!.send(new Uint8Array(5))
    await settle()
    expect(down.writes - before).toBe(1)
    expect(got.length).toBe(100)
  })

  test('a peer that does not read: the stream is failed and cancelled at its limit, the others go on', async () => {
    const { channel, answerer, streams, down, got, settle } = world({ maxStreamBytes: 10_000 })
    await settle()
    channel.send(frames.open, 1, undefined)
    channel.send(frames.open, 2, undefined)
    await settle()
    down.stuck = true
    for (let i = 0; i < 1000; i++) {
      streams[0]!.send(new Uint8Array(100))
      if (i % 10 === 0) await turn()
    }
    streams[1]!.send(new Uint8Array(100))
    expect(streams[0]!.signal.aborted).toBe(true)
    expect(streams[1]!.signal.aborted).toBe(false)
    expect(answerer.channel.out.bytes).toBeLessThan(12_000)
    down.stuck = false
    answerer.channel.drained()
    await settle()
    const ends = got.filter((frame) => frame.kind !== frames.message)
    expect(ends).toMatchObject([{ kind: frames.fail, stream: 1 }])
    expect(got.at(-1)).toMatchObject({ kind: frames.message, stream: 2, size: 100 })
  })

  test('one that reads slowly but does read loses nothing', async () => {
    const { channel, answerer, streams, down, got, settle } = world({ maxStreamBytes: 10_000 })
    await settle()
    channel.send(frames.open, 1, undefined)
    await settle()
    for (let i = 0; i < 50; i++) {
      down.stuck = true
      for (let k = 0; k < 40; k++) streams[0]!.send(new Uint8Array(100))
      await turn()
      down.stuck = false
      answerer.channel.drained()
    }
    await settle()
    expect(streams[0]!.signal.aborted).toBe(false)
    expect(got.length).toBe(2000)
  })

  test('the whole connection is bounded too, and one message may be longer than a stream may hold', async () => {
    const { channel, answerer, streams, down, settle } = world({ maxStreamBytes: 1000, maxHeldBytes: 50_000 })
    await settle()
    for (let i = 1; i <= 100; i++) channel.send(frames.open, i, undefined)
    await settle()
    down.stuck = true
    streams[0]!.send(new Uint8Array(20_000))
    for (let i = 1; i < 100; i++) streams[i]!.send(new Uint8Array(900))
    await turn()
    expect(streams[0]!.signal.aborted).toBe(false)
    expect(streams.filter((stream) => stream.signal.aborted).length).toBeGreaterThan(60)
    expect(answerer.channel.out.bytes).toBeLessThan(70_000)
  })

  test('the same secret on both sides connects; another, or one alone, does not', async () => {
    for (const [server, client, fine] of [
      ['a', 'a', true],
      ['a', 'b', false],
      ['a', undefined, false],
      [undefined, 'a', false],
    ] as const) {
      const { channel, closed, settle } = world({ secret: server }, client === undefined ? {} : { secret: client })
      await settle()
      expect(channel.ready).toBe(fine)
      expect(closed.server === undefined).toBe(fine)
      if (!fine) expect(closed.client).toMatchObject({ code: 'engine_unavailable', message: expect.stringContaining('secret') })
    }
  })

  test('a client that means another worker is refused and told so', async () => {
    const { closed, settle } = world({}, { instance: 'another' })
    await settle()
    expect(closed.client!.message).toContain('another worker')
    expect(world({}, { instance: 'one' }).closed).toEqual({})
  })

  test('bytes of a stranger close the connection: HTTP, a frame before the greeting, another version', async () => {
    const hello = (version: number) => [20, 0, 0, 0, 1, 0x44, 0x53, 0x52, 0x50, version, 0, ...new Array(16).fill(1)]
    const strange = [
      'GET / HTTP/1.1\r\n\r\n',
      [5, 0, 0, 0, 3, 1, 0, 0, 0],
      [5, 0, 0, 0, 4, 1, 0, 0, 0],
      [5, 0, 0, 0, 99, 0, 0, 0, 0],
      hello(9),
    ]
    for (const bytes of strange) {
      const down = new Wire()
      let service = 0
      let reason = ''
      const answerer = new Answerer(down, { service: () => void service++, instance: 'one', secret: undefined }, (error) => {
        reason = error.message
      })
      answerer.channel.received(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes))
      await turn()
      expect([down.ended, service]).toEqual([true, 0])
      expect(reason).toContain('No connection')
    }
  })

  test('a client that breaks the protocol after the greeting loses its connection', async () => {
    for (const [kind, stream] of [
      [frames.open, 1],
      [frames.message, 1],
      [frames.hello, 5],
      [frames.end, 1],
      [frames.open, 0],
    ] as const) {
      const { channel, closed, settle } = world()
      await settle()
      channel.send(frames.open, 1, undefined)
      channel.send(kind, stream, undefined)
      await settle()
      expect(closed.server!.message).toContain('no request plane')
    }
  })
})
