// The promises of transport/request-plane.ts, held by every plane.
import { afterEach, describe, expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import type { IncomingStream, PlaneClient, PlaneServer, PlaneService } from '../../src/transport/request-plane.ts'
import { connected, gone, openStream } from '../helpers/plane-stream.ts'
import { until } from '../helpers/run-request.ts'
import { planeProcessesSuite } from './plane-processes.suite.ts'

/** How to make both ends of a plane. */
export interface PlaneKind {
  serve(service: PlaneService): Promise<PlaneServer>
  connect(address: string): PlaneClient
  /** What another process is told of it (helpers/processes/plane-peer.ts). */
  broker?(): string
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Sends its head back in as many messages as it has letters, then ends. */
const spelling: PlaneService = (head, stream) => {
  for (const letter of decoder.decode(head)) stream.send(encoder.encode(letter))
  stream.end()
}

export function planeSuite(name: string, plane: PlaneKind): void {
  planeProcessesSuite(name, plane)
  describe(name, () => {
    const cleanup: (() => unknown)[] = []
    afterEach(async () => {
      for (const step of cleanup.splice(0).reverse()) await step()
    })

    async function pair(service: PlaneService): Promise<{ client: PlaneClient; server: PlaneServer }> {
      const server = await plane.serve(service)
      const client = plane.connect(server.address)
      cleanup.push(
        () => server.close(),
        () => client.close(),
      )
      await connected(client)
      return { client, server }
    }

    test('messages come in order, then the end', async () => {
      const { client } = await pair(spelling)
      const heard = await openStream(client, 'hello').done
      expect(heard.texts()).toEqual(['h', 'e', 'l', 'l', 'o'])
      expect(heard.error).toBeUndefined()
    })

    test('many streams at once do not mix', async () => {
      const { client } = await pair(spelling)
      const words = Array.from({ length: 300 }, (_, i) => `word-${i}`)
      const all = await Promise.all(words.map((word) => openStream(client, word).done))
      expect(all.map((heard) => heard.texts().join(''))).toEqual(words)
    })

    test('heads and messages of any size arrive whole', async () => {
      const { client } = await pair((head, stream) => {
        stream.send(head)
        stream.end()
      })
      for (const size of [0, 1, 127, 128, 129, 4095, 65_536, 1_048_576, 3_000_001]) {
        const head = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 255)
        const heard = await openStream(client, head).done
        expect(heard.messages.length).toBe(1)
        expect(Buffer.compare(heard.messages[0]!, head)).toBe(0)
      }
    })

    test('a burst of large heads is more than a connection holds: they wait, a cancelled one is told so, small ones go first', async () => {
      const size = 2_000_000
      const { client } = await pair((head, stream) => {
        stream.send(Uint8Array.of(head[0] ?? 0))
        stream.end()
      })
      const order: string[] = []
      const large = Array.from({ length: 45 }, (_, i) => openStream(client, new Uint8Array(size).fill(i)))
      for (const [i, { done }] of large.entries()) void done.then(() => order.push(`${i}`))
      large[44]!.stream.cancel()
      const small = openStream(client, 'x')
      await small.done.then(() => order.push('small'))
      const heard = await Promise.all(large.map(({ done }) => done))
      expect(heard.slice(0, 44).map(({ error, messages }) => error?.code ?? messages[0]![0])).toEqual(
        Array.from({ length: 44 }, (_, i) => i),
      )
      expect(heard[44]!.error?.code).toBe('client_closed_request')
      expect(order.indexOf('small')).toBeLessThan(40)
    })

    test('a head that is longer than any frame arrives whole, and small ones pass it', async () => {
      const { client } = await pair((head, stream) => {
        stream.send(encoder.encode(`${head.length} ${Bun.hash(head)}`))
        stream.end()
      })
      const head = new Uint8Array(96 * 1024 * 1024 + 7)
      for (let at = 0; at < head.length; at += 4096) head[at] = at / 4096
      const large = openStream(client, head)
      const order: string[] = []
      void large.done.then(() => order.push('large'))
      for (let i = 0; i < 10; i++) await openStream(client, `small ${i}`).done.then(() => order.push('small'))
      expect((await large.done).texts()).toEqual([`${head.length} ${Bun.hash(head)}`])
      expect(order).toEqual([...Array(10).fill('small'), 'large'])
      expect(openStream(client, new Uint8Array(513 * 1024 * 1024)).error).toMatchObject({ code: 'body_too_large' })
    }, 30_000)

    test('who leaves in the middle of a long head is told so, the next head passes, and the service never hears of it', async () => {
      const lengths: number[] = []
      const { client } = await pair((head, stream) => {
        lengths.push(head.length)
        stream.end()
      })
      const size = 64 * 1024 * 1024
      const all = [0, 1, 2].map((more) => openStream(client, new Uint8Array(size + more)))
      await Bun.sleep(2)
      all[0]!.stream.cancel()
      all[1]!.stream.cancel()
      const [first, second, third] = await Promise.all(all.map(({ done }) => done))
      expect([first!.error?.code, second!.error?.code]).toEqual(['client_closed_request', 'client_closed_request'])
      expect(third!.error).toBeUndefined()
      expect((await openStream(client, 'x').done).error).toBeUndefined()
      expect(lengths).toEqual([size + 2, 1])
    }, 30_000)

    test('a failure keeps its code, message, status, parameter and retry-after', async () => {
      const { client } = await pair((_, stream) =>
        stream.fail(new AppError('invalid_value', { message: 'too hot', status: 422, param: 'temperature', retryAfterSecs: 7 })),
      )
      const { error } = await openStream(client, '').done
      expect(error).toBeInstanceOf(AppError)
      expect(error).toMatchObject({ code: 'invalid_value', message: 'too hot', status: 422, param: 'temperature', retryAfterSecs: 7 })
    })

    test('a service that throws fails its stream and no other', async () => {
      const { client } = await pair((head, stream) => {
        if (head.length === 0) throw new Error('a bug')
        spelling(head, stream)
      })
      expect((await openStream(client, '').done).error).toMatchObject({ code: 'internal_error' })
      expect((await openStream(client, 'ok').done).texts()).toEqual(['o', 'k'])
    })

    test('a listener that throws loses its stream, and the other side is told to stop', async () => {
      const streams: IncomingStream[] = []
      const { client } = await pair((_, stream) => {
        streams.push(stream)
        stream.send(encoder.encode('x'))
      })
      const bad = openStream(client, '')
      bad.onMessage = () => {
        throw new Error('a bug')
      }
      expect((await bad.done).error).toMatchObject({ code: 'internal_error' })
      await until('cancelled', () => streams[0]!.signal.aborted)
      expect(client.connected).toBe(true)
    })

    test('a cancel reaches the service, whose end still comes', async () => {
      let told = 0
      const { client } = await pair((_, stream) => {
        stream.signal.addEventListener('abort', () => {
          told++
          stream.send(encoder.encode('stopped'))
          stream.end()
        })
      })
      const heard = openStream(client, '')
      heard.stream.cancel()
      heard.stream.cancel()
      expect((await heard.done).texts()).toEqual(['stopped'])
      expect(told).toBe(1)
      heard.stream.cancel()
    })

    test('nothing is heard of a stream after its end', async () => {
      const { client } = await pair((_, stream) => {
        stream.end()
        stream.send(encoder.encode('late'))
        stream.fail(new AppError('internal_error', { message: 'late' }))
        stream.end()
      })
      const heard = await openStream(client, '').done
      expect((await openStream(client, '').done).error).toBeUndefined()
      expect([heard.ends, heard.messages.length, heard.error]).toEqual([1, 0, undefined])
    })

    test('a closed client ends its streams on both sides, and opens none', async () => {
      const streams: IncomingStream[] = []
      const { client } = await pair((_, stream) => void streams.push(stream))
      const heard = openStream(client, '')
      await until('opened', () => streams.length === 1)
      client.close()
      expect((await heard.done).error).toMatchObject({ code: 'engine_unavailable' })
      await until('the service hears of it', () => streams[0]!.signal.aborted)
      expect(openStream(client, '').error).toMatchObject({ code: 'engine_unavailable' })
      expect(client.connected).toBe(false)
    })

    test('a closed server fails what runs with shutting_down', async () => {
      const streams: IncomingStream[] = []
      const { client, server } = await pair((_, stream) => void streams.push(stream))
      const states: boolean[] = []
      client.onState((up) => states.push(up))
      const heard = openStream(client, '')
      await until('opened', () => streams.length === 1)
      await server.close()
      expect(streams[0]!.signal.aborted).toBe(true)
      expect((await heard.done).error!.code).toBe('shutting_down')
      await gone(client)
      expect(states).toEqual([false])
    })

    test('a client that is not connected yet refuses at once', async () => {
      const server = await plane.serve(spelling)
      const client = plane.connect(server.address)
      cleanup.push(
        () => server.close(),
        () => client.close(),
      )
      expect(openStream(client, 'x').error).toMatchObject({ code: 'engine_unavailable', retryAfterSecs: 1 })
      await connected(client)
      expect((await openStream(client, 'x').done).texts()).toEqual(['x'])
    })

    test('a quiet connection stays', async () => {
      const { client } = await pair(() => {})
      const heard = openStream(client, '')
      await Bun.sleep(2500)
      expect([client.connected, heard.ends]).toEqual([true, 0])
    })
  })
}
