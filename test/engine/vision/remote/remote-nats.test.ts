// The same encoder over NATS: its messages are small, rows are not.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { NatsConnection } from '@nats-io/transport-node'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { remoteEncoder } from '../../../../src/engine/vision/remote/encoder.ts'
import { hostEncoder } from '../../../../src/engine/vision/remote/host.ts'
import { natsClient } from '../../../../src/transport/nats/client.ts'
import { connectNats } from '../../../../src/transport/nats/connection.ts'
import { natsServer } from '../../../../src/transport/nats/server.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { need } from '../../../helpers/need.ts'
import { type Broker, programPath, startNats } from '../../../helpers/processes/broker.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

if (need('nats-server (Debian package nats-server)', programPath('nats-server') !== null)) {
  let broker: Broker
  let worker: NatsConnection
  let frontend: NatsConnection
  beforeAll(async () => {
    broker = await startNats()
    worker = await connectNats({ servers: [`nats://127.0.0.1:${broker.port}`] }, 'worker')
    frontend = await connectNats({ servers: [`nats://127.0.0.1:${broker.port}`] }, 'frontend')
  })
  afterAll(async () => {
    await frontend.close()
    await worker.close()
    await broker.stop()
  })

  async function pair(dim: number) {
    const mock = mockEncoder({ modelPath: 'models/tiny-vl', dim, msPerPicture: 2 })
    await mock.start()
    const server = await natsServer(worker, hostEncoder(mock).service)
    return { mock, far: remoteEncoder(natsClient(frontend, server.address)) }
  }

  visionSuite('a remote encoder over NATS', async () => (await pair(16)).far, { pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8)] })

  test('rows of many megabytes come whole over NATS', async () => {
    const { mock, far } = await pair(3584)
    await far.start()
    const never = new AbortController().signal
    const picture = madeUpPicture('large', 20, 31)
    const [own, rows] = [await mock.encode(picture, never), await far.encode(picture, never)]
    expect(Buffer.compare(rows.bytes, own.bytes)).toBe(0)
    await far.stop()
    await mock.stop()
  }, 20_000)
}
