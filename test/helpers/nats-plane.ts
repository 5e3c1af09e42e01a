// The request plane over a NATS server of the test file's own.
import { afterAll, beforeAll } from 'bun:test'
import type { NatsConnection } from '@nats-io/transport-node'
import { natsClient } from '../../src/transport/nats/client.ts'
import { connectNats } from '../../src/transport/nats/connection.ts'
import { natsServer } from '../../src/transport/nats/server.ts'
import type { PlaneKind } from '../suites/plane.suite.ts'
import { type Broker, needsNats, startNats } from './processes/broker.ts'

/** Serves on one connection, asks on another; both, and the server, live as long as the file's tests. Undefined, and named, where there is no nats-server. */
export function natsPlane(): PlaneKind | undefined {
  if (!needsNats()) return undefined
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
    await frontend?.close()
    await worker?.close()
    await broker?.stop()
  })
  return { serve: (service) => natsServer(worker, service), connect: (address) => natsClient(frontend, address), broker: url }
}
