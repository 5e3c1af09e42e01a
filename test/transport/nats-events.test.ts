// The event plane over a real NATS server, also while that is away.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connectNats } from '../../src/transport/nats/connection.ts'
import { natsEvents } from '../../src/transport/nats-events.ts'
import { type Broker, needsNats, startNats } from '../helpers/processes/broker.ts'
import { until } from '../helpers/run-request.ts'
import { eventPlaneSuite } from '../suites/event-plane.suite.ts'

describe.skipIf(!needsNats())('with a server', () => {
  let server: Broker
  const connections: { close(): Promise<void> }[] = []
  const open = async () => {
    const connection = await connectNats({ servers: [`nats://127.0.0.1:${server.port}`] }, 'test', false)
    connections.push(connection)
    return natsEvents(connection)
  }
  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(async () => {
    for (const connection of connections) await connection.close()
    await server.stop()
  })

  eventPlaneSuite('nats', open, async () => {
    await server.kill()
    await server.restart()
  })

  test('what is published while the server is away is dropped, not kept', async () => {
    const publisher = await (await open()).publisher('worker')
    const heard: string[] = []
    let connected = 0
    ;(await open()).listen(publisher.address, {
      message: (bytes) => heard.push(new TextDecoder().decode(bytes)),
      connected: () => connected++,
    })
    await until('connected', () => connected === 1)
    await server.kill()
    await Bun.sleep(100)
    for (let i = 0; i < 1000; i++) publisher.publish(new TextEncoder().encode('lost'))
    await server.restart()
    await until('connected again', () => connected === 2)
    await until('a message', () => {
      publisher.publish(new TextEncoder().encode('new'))
      return heard.includes('new')
    })
    expect(heard).not.toContain('lost')
  }, 20_000)
})
