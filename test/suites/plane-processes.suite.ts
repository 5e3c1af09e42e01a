// What one process of a plane sees of another that dies, stands still or is slow (transport/request-plane.ts).
import { afterEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { IncomingStream } from '../../src/transport/request-plane.ts'
import { connected, gone, openStream } from '../helpers/plane-stream.ts'
import { counting } from '../helpers/processes/plane-peer.ts'
import { until } from '../helpers/run-request.ts'
import type { PlaneKind } from './plane.suite.ts'

const decoder = new TextDecoder()
const peerPath = join(import.meta.dir, '../helpers/processes/plane-peer.ts')

export function planeProcessesSuite(name: string, plane: PlaneKind): void {
  describe(`${name}, between processes`, () => {
    const cleanup: (() => unknown)[] = []
    afterEach(async () => {
      for (const step of cleanup.splice(0).reverse()) await step()
    })

    /** Another process; resolves with its first line. */
    async function peer(...args: string[]) {
      const child = Bun.spawn([process.execPath, peerPath, args[0]!, plane.broker?.() ?? 'tcp', ...args.slice(1)], {
        stdout: 'pipe',
        stderr: 'ignore',
      })
      cleanup.push(() => child.kill('SIGKILL'))
      const { value } = await child.stdout.getReader().read()
      return { child, line: decoder.decode(value).trim() }
    }

    /** A worker in another process and a client of it. */
    async function remotePair() {
      const { child, line } = await peer('worker')
      const client = plane.connect(line)
      cleanup.push(() => client.close())
      await connected(client)
      return { child, client }
    }

    test('a worker that is stopped in the middle of a long head fails its stream, and little of it waits in between', async () => {
      const { child, client } = await remotePair()
      child.kill('SIGSTOP')
      const head = new Uint8Array(256 * 1024 * 1024)
      const before = process.memoryUsage().rss
      const heard = openStream(client, head)
      expect((await heard.done).error).toMatchObject({ code: 'engine_unavailable' })
      expect(process.memoryUsage().rss - before).toBeLessThan(100e6)
    }, 60_000)

    test('a killed worker fails its streams at once', async () => {
      const { child, client } = await remotePair()
      const streams = Array.from({ length: 20 }, () => openStream(client, { count: 100_000, bytes: 8, everyMs: 2 }))
      await until('they run', () => streams.every((heard) => heard.messages.length > 3))
      child.kill('SIGKILL')
      const all = await Promise.all(streams.map((heard) => heard.done))
      for (const heard of all) expect(heard.error).toMatchObject({ code: 'engine_unavailable' })
      expect(client.connected).toBe(false)
      expect(openStream(client, {}).error).toMatchObject({ code: 'engine_unavailable' })
    }, 60_000)

    test('a worker that is stopped is missed by its silence (1.5 s), and found again when it goes on', async () => {
      const { child, client } = await remotePair()
      const heard = openStream(client, { count: 1_000_000, bytes: 8, everyMs: 5 })
      await until('it runs', () => heard.messages.length > 3)
      child.kill('SIGSTOP')
      await gone(client, 4000)
      expect((await heard.done).error).toMatchObject({ code: 'engine_unavailable' })
      child.kill('SIGCONT')
      await connected(client, 10_000)
      expect((await openStream(client, { count: 3, bytes: 4 }).done).messages.length).toBe(3)
    }, 30_000)

    test('a worker whose turns take more than half a second is not taken for dead', async () => {
      const { client } = await remotePair()
      const heard = openStream(client, { count: 1, bytes: 8, everyMs: 1_000_000, busyMs: 600 })
      await Bun.sleep(6000)
      expect([client.connected, heard.ends]).toEqual([true, 0])
    }, 60_000)

    test('a client that is stopped loses its streams, and holds no memory meanwhile', async () => {
      let held: IncomingStream | undefined
      let sent = 0
      const server = await plane.serve((head, stream) => {
        held = stream
        counting(head, stream)
        const timer = setInterval(() => {
          for (let i = 0; i < 20; i++) stream.send(new Uint8Array(100_000))
          sent += 2_000_000
        }, 2)
        stream.signal.addEventListener('abort', () => clearInterval(timer))
      })
      cleanup.push(() => server.close())
      const { child, line } = await peer('caller', server.address, JSON.stringify({ count: 1_000_000, bytes: 8, everyMs: 5 }))
      expect(line).toBe('got')
      child.kill('SIGSTOP')
      const before = process.memoryUsage().rss
      await until('the stream is given up', () => held!.signal.aborted)
      expect(sent).toBeGreaterThan(0)
      expect(process.memoryUsage().rss - before).toBeLessThan(150e6)
    }, 60_000)

    test('a client that stands still for a moment keeps its streams, one that stays so is missed by its silence (4 s)', async () => {
      const streams: IncomingStream[] = []
      const server = await plane.serve((_, stream) => {
        streams.push(stream)
        stream.send(new Uint8Array(1))
      })
      cleanup.push(() => server.close())
      const { child } = await peer('caller', server.address, '{}')
      child.kill('SIGSTOP')
      await Bun.sleep(2500)
      child.kill('SIGCONT')
      await Bun.sleep(600)
      expect(streams[0]!.signal.aborted).toBe(false)
      child.kill('SIGSTOP')
      await until('the stream is given up', () => streams[0]!.signal.aborted)
    }, 60_000)
  })
}
