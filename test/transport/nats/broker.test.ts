// The broker dies, stops and comes back while streams run: each ends whole or with `engine_unavailable`, none hangs, and service returns by itself.
import { afterEach, describe, expect, test } from 'bun:test'
import type { NatsConnection } from '@nats-io/transport-node'
import { natsClient } from '../../../src/transport/nats/client.ts'
import { connectNats } from '../../../src/transport/nats/connection.ts'
import { natsServer } from '../../../src/transport/nats/server.ts'
import type { PlaneClient } from '../../../src/transport/request-plane.ts'
import { connected, gone, type Heard, openStream } from '../../helpers/plane-stream.ts'
import { type Broker, needsNats, startNats } from '../../helpers/processes/broker.ts'
import { counting } from '../../helpers/processes/plane-peer.ts'
import { until } from '../../helpers/run-request.ts'

describe.skipIf(!needsNats())('the broker of the request plane', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    for (const step of cleanup.splice(0).reverse()) await step()
  })

  async function world(): Promise<{ broker: Broker; client: PlaneClient }> {
    const broker = await startNats()
    cleanup.push(() => broker.stop())
    const connection = async (name: string): Promise<NatsConnection> => {
      const made = await connectNats({ servers: [`nats://127.0.0.1:${broker.port}`] }, name)
      cleanup.push(() => made.close())
      return made
    }
    const server = await natsServer(await connection('worker'), counting)
    const client = natsClient(await connection('frontend'), server.address)
    cleanup.push(() => client.close())
    await connected(client)
    return { broker, client }
  }

  const numbers = (heard: Heard) => heard.messages.map((bytes) => new DataView(bytes.buffer).getUint32(0))

  test('killed and restarted three times under load', async () => {
    const { broker, client } = await world()
    const done: Heard[] = []
    let open = true
    const lane = async () => {
      while (open) {
        const heard = await openStream(client, { count: 100, bytes: 64, everyMs: 3 }).done
        done.push(heard)
        if (heard.error !== undefined) await Bun.sleep(20)
      }
    }
    const lanes = Array.from({ length: 40 }, lane)
    for (let i = 0; i < 3; i++) {
      await Bun.sleep(700)
      await broker.kill()
      await Bun.sleep(i * 600)
      await broker.restart()
      await connected(client, 10_000)
    }
    const whole = () => done.filter((heard) => heard.error === undefined).length
    const before = whole()
    await until('streams run again', () => whole() > before + 40)
    open = false
    await Promise.all(lanes)
    for (const heard of done) {
      expect(numbers(heard)).toEqual(heard.messages.map((_, i) => i))
      if (heard.error === undefined) expect(heard.messages.length).toBe(100)
      else expect(heard.error.code).toBe('engine_unavailable')
    }
    expect(done.some((heard) => heard.error !== undefined)).toBe(true)
  }, 60_000)

  test('stopped: its silence fails the streams (1.5 s), and the connection returns when it goes on', async () => {
    const { broker, client } = await world()
    const heard = openStream(client, { count: 1_000_000, bytes: 8, everyMs: 5 })
    await until('it runs', () => heard.messages.length > 3)
    broker.signal('SIGSTOP')
    await gone(client, 4000)
    expect((await heard.done).error).toMatchObject({ code: 'engine_unavailable' })
    broker.signal('SIGCONT')
    await connected(client, 15_000)
    expect((await openStream(client, { count: 3, bytes: 4 }).done).messages.length).toBe(3)
  }, 30_000)

  test('junk on the worker subject hurts nobody', async () => {
    const broker = await startNats()
    cleanup.push(() => broker.stop())
    const nats = await connectNats({ servers: [`nats://127.0.0.1:${broker.port}`] }, 'all')
    cleanup.push(() => nats.close())
    const server = await natsServer(nats, counting)
    const client = natsClient(nats, server.address)
    cleanup.push(() => client.close())
    await connected(client)
    const subject = server.address.slice('nats://'.length)
    for (const bytes of [[], [1], [0, 0, 0, 0, 0, 0, 0, 0, 71, 69, 84, 32, 47, 1, 1, 1], [9, 0, 0, 0, 0, 0, 0, 0, 1]]) {
      nats.publish(subject, Uint8Array.from(bytes), { reply: 'stranger' })
      nats.publish(subject, Uint8Array.from(bytes))
    }
    expect((await openStream(client, { count: 3, bytes: 4 }).done).messages.length).toBe(3)
  })
})
