import { afterAll, beforeAll } from 'bun:test'
import type { NatsConnection } from '@nats-io/transport-node'
import { natsClient } from '../../../src/transport/nats/client.ts'
import { connectNats } from '../../../src/transport/nats/connection.ts'
import { natsServer } from '../../../src/transport/nats/server.ts'
import { need } from '../../helpers/need.ts'
import { type Broker, programPath, startNats } from '../../helpers/processes/broker.ts'
import { planeSuite } from '../../suites/plane.suite.ts'

if (need('nats-server (Debian package nats-server)', programPath('nats-server') !== null)) {
  let broker: Broker
  let worker: NatsConnection
  let frontend: NatsConnection
  const url = () => `nats://127.0.0.1:${broker.port}`
  beforeAll(async () => {
    broker = await startNats()
    worker = await connectNats({ servers: [url()] }, 'worker')
    frontend = await connectNats({ servers: [url()] }, 'frontend')
  })
  afterAll(async () => {
    await frontend.close()
    await worker.close()
    await broker.stop()
  })
  planeSuite('the request plane over NATS', {
    serve: (service) => natsServer(worker, service),
    connect: (address) => natsClient(frontend, address),
    broker: url,
  })
}
