// What only the TCP plane has: addresses, strangers on the port, another server at the same port, connections cut anywhere.
import { afterEach, describe, expect, test } from 'bun:test'
import { formatTcpAddress, parseTcpAddress } from '../../../src/transport/tcp/address.ts'
import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { connected, gone, type Heard, openStream } from '../../helpers/plane-stream.ts'
import { counting } from '../../helpers/processes/plane-peer.ts'
import { until } from '../../helpers/run-request.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

function server(...more: Parameters<typeof tcpServer> extends [unknown, ...infer Rest] ? Rest : never) {
  const made = tcpServer(counting, ...more)
  cleanup.push(() => made.close())
  return made
}

function client(...args: Parameters<typeof tcpClient>) {
  const made = tcpClient(...args)
  cleanup.push(() => made.close())
  return made
}

/** Sends raw bytes; resolves with what came back until the other side closed. */
async function raw(port: number, bytes: string | Uint8Array): Promise<number> {
  const closed = Promise.withResolvers<number>()
  let got = 0
  await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      open: (socket) => void socket.write(bytes),
      data(_, chunk) {
        got += chunk.length
      },
      close: () => closed.resolve(got),
      end: (socket) => void socket.end(),
    },
  })
  return closed.promise
}

/** A relay to `port` that passes bytes on in small pieces and cuts each connection after a while. */
function relay(port: number, random: () => number): number {
  const listener = Bun.listen<{ other: Promise<Bun.Socket> }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        let left = 20_000 + Math.floor(random() * 400_000)
        const other = Bun.connect({
          hostname: '127.0.0.1',
          port,
          socket: {
            data(_, chunk) {
              for (let at = 0; at < chunk.length; ) {
                const size = 1 + Math.floor(random() * 3000)
                left -= socket.write(chunk.subarray(at, at + size))
                at += size
              }
              if (left < 0) socket.terminate()
            },
            close: () => socket.terminate(),
          },
        })
        socket.data = { other }
      },
      data: (socket, chunk) => {
        const bytes = chunk.slice()
        void socket.data.other.then((other) => other.write(bytes))
      },
      close: (socket) => void socket.data.other.then((other) => other.terminate()),
    },
  })
  cleanup.push(() => listener.stop(true))
  return listener.port
}

describe('the TCP plane', () => {
  test('addresses', () => {
    for (const text of ['tcp://10.0.0.5:5900', 'tcp://worker-3.local:80/ab12', 'tcp://[fd00::1]:5900/x'])
      expect(formatTcpAddress(parseTcpAddress(text))).toBe(text)
    for (const text of ['', 'http://a:1', 'tcp://a', 'tcp://:80', 'nats://a.b', 'tcp://a:99999'])
      expect(() => parseTcpAddress(text)).toThrow('no worker address')
  })

  test('the advertised host is told, the bound one is listened on', () => {
    expect(server({ advertisedHost: 'gpu-7' }).address).toMatch(/^tcp:\/\/gpu-7:\d+\/[0-9a-f]{8}$/)
    expect(parseTcpAddress(server().address).host).toBe('127.0.0.1')
    expect(parseTcpAddress(server({ host: '0.0.0.0' }).address).host).not.toBe('0.0.0.0')
  })

  test('a taken port is named', () => {
    const { port } = parseTcpAddress(server().address)
    expect(() => tcpServer(counting, { port })).toThrow(
      expect.objectContaining({ code: 'port_in_use', message: expect.stringContaining(String(port)) }),
    )
  })

  test('strangers lose their connection, and only theirs', async () => {
    const { address } = server()
    const { port } = parseTcpAddress(address)
    const friend = client(address)
    await connected(friend)
    const heard = openStream(friend, { count: 300, bytes: 8, everyMs: 5 })
    await Promise.all([
      raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      raw(port, new Uint8Array(5000).fill(255)),
      raw(port, new Uint8Array(5000)),
      raw(port, ''),
      raw(port, Uint8Array.of(5)),
    ])
    expect((await heard.done).messages.length).toBe(300)
  }, 20_000)

  test('the secret is asked of everyone', async () => {
    const { address } = server({ secret: 'a word' })
    const good = client(address, { secret: 'a word' })
    const bad = client(address, { secret: 'another' })
    const none = client(address)
    await connected(good)
    await Bun.sleep(300)
    expect([bad.connected, none.connected]).toEqual([false, false])
  })

  test('another server at the same port is not taken for the old one, unless any is meant', async () => {
    const first = server()
    const { host, port } = parseTcpAddress(first.address)
    const strict = client(first.address)
    const any = client(`tcp://${host}:${port}`)
    await Promise.all([connected(strict), connected(any)])
    await first.close()
    await Promise.all([gone(strict), gone(any)])
    server({ port })
    await connected(any)
    await Bun.sleep(500)
    expect(strict.connected).toBe(false)
  })

  test('connections cut anywhere: each stream is whole or fails, and nothing is left over', async () => {
    let state = 99
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
    let running = 0
    const made = tcpServer((head, stream) => {
      running++
      stream.signal.addEventListener('abort', () => running--)
      const { end } = stream
      stream.end = () => {
        if (!stream.signal.aborted) running--
        end.call(stream)
      }
      counting(head, stream)
    })
    cleanup.push(() => made.close())
    const through = client(`tcp://127.0.0.1:${relay(parseTcpAddress(made.address).port, random)}`)
    await connected(through)
    const done: Heard[] = []
    const end = performance.now() + 4000
    const lane = async () => {
      while (performance.now() < end) {
        const heard = await openStream(through, { count: 50, bytes: 4 + Math.floor(random() * 700), everyMs: 1 }).done
        done.push(heard)
        if (heard.error !== undefined) await Bun.sleep(10)
      }
    }
    await Promise.all(Array.from({ length: 20 }, lane))
    const failed = done.filter((heard) => heard.error !== undefined)
    expect(failed.length).toBeGreaterThan(0)
    expect(done.length - failed.length).toBeGreaterThan(20)
    for (const heard of done) {
      expect(heard.messages.map((bytes) => new DataView(bytes.buffer).getUint32(0))).toEqual(heard.messages.map((_, i) => i))
      if (heard.error === undefined) expect(heard.messages.length).toBe(50)
      else expect(heard.error.code).toBe('engine_unavailable')
    }
    through.close()
    await until('the service let go of all', () => running === 0)
  }, 30_000)
})
