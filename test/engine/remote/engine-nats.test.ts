import { afterAll, beforeAll } from 'bun:test'
import type { NatsConnection } from '@nats-io/transport-node'
import { natsClient } from '../../../src/transport/nats/client.ts'
import { connectNats } from '../../../src/transport/nats/connection.ts'
import { natsServer } from '../../../src/transport/nats/server.ts'
import { need } from '../../helpers/need.ts'
import { type Broker, programPath, startNats } from '../../helpers/processes/broker.ts'
import { embeddingSuite } from '../../suites/embedding.suite.ts'
import { engineSuite } from '../../suites/engine.suite.ts'
import type { PlaneKind } from '../../suites/plane.suite.ts'
import { engineOver } from './worlds.ts'

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
  const nats: PlaneKind = { serve: (service) => natsServer(worker, service), connect: (address) => natsClient(frontend, address) }

  engineSuite('a remote engine over NATS', () => engineOver(nats, { speedupRatio: 10, maxRunningRequests: 16, contextLength: 1024 }), {
    abortTokens: 8,
  })
  embeddingSuite('remote embeddings over NATS', () => engineOver(nats, { isEmbedding: true }))
}
