// A worker's cache in a frontend's index over real planes: the mock engine on one side, the remote engine on the other, TCP with ZMQ and all over NATS.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Engine } from '../../../src/engine/engine.ts'
import type { WorkerCard } from '../../../src/engine/remote/card.ts'
import { remoteEngine } from '../../../src/engine/remote/engine.ts'
import { hostEngine } from '../../../src/engine/remote/host.ts'
import { remoteEvents } from '../../../src/engine/remote/kv-follow.ts'
import { publishEvents } from '../../../src/engine/remote/kv-publish.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { chainHashes, localHashes } from '../../../src/lib/block-hash.ts'
import { naiveIndex } from '../../../src/router/index/naive.ts'
import type { EventPlane } from '../../../src/transport/event-plane.ts'
import { natsClient } from '../../../src/transport/nats/client.ts'
import { connectNats } from '../../../src/transport/nats/connection.ts'
import { natsServer } from '../../../src/transport/nats/server.ts'
import { natsEvents } from '../../../src/transport/nats-events.ts'
import type { PlaneClient, PlaneServer, PlaneService } from '../../../src/transport/request-plane.ts'
import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { zmqEvents } from '../../../src/transport/zmq-events.ts'
import { scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'
import { type Broker, needsNats, startNats } from '../../helpers/processes/broker.ts'
import { until } from '../../helpers/run-request.ts'
import { answer, request, started } from '../mock/world.ts'

interface Plane {
  events(): EventPlane
  serve(service: PlaneService): PlaneServer | Promise<PlaneServer>
  connect(address: string): PlaneClient
}

const tcp: Plane = {
  events: () => zmqEvents({ host: '127.0.0.1' }),
  serve: (service) => tcpServer(service),
  connect: (address) => tcpClient(address),
}

/** A worker process and a frontend's engine for it. */
async function deploy(plane: Plane, engine: Engine) {
  const events = plane.events()
  const publisher = await events.publisher('worker')
  const published = publishEvents(engine, (message) => publisher.publish(message), { beatMs: 50 })
  const service = hostEngine(engine, { calls: { 'kv.dump': async ({ rank }) => published.dump(Number(rank)) } })
  const server = await plane.serve(service)
  const ears = plane.events()
  const card = { info: engine.info, ready: true } as WorkerCard
  const remote = remoteEngine({
    card,
    client: plane.connect(server.address),
    events: remoteEvents({
      plane: ears,
      address: publisher.address,
      ranks: engine.info.dpSize,
      kv: true,
      dump: async (rank) => (await remote.call('kv.dump', { rank })) as Uint8Array,
    }),
  })
  await remote.start()
  return {
    published,
    remote,
    async close() {
      await remote.stop(0)
      published.close()
      await server.close()
      await events.close()
      await ears.close()
    },
  }
}

/** An index as a frontend keeps it, one slot a rank. */
function indexOf(engine: Pick<Engine, 'on'>) {
  const index = naiveIndex()
  const loads: EngineEvent[] = []
  engine.on((event) => {
    if (event.kind === 'kv') for (const change of event.changes) index.apply(event.rank, change)
    else if (event.kind === 'load') loads.push(event)
  })
  const depth = (ids: readonly number[], rank: number, size = 16) =>
    index.match(chainHashes(localHashes(Uint32Array.from(ids), size)), rank + 1).device[rank]!
  return { index, depth, loads }
}

const prompt = (from: number, length: number) => Array.from({ length }, (_, i) => (from * 997 + i * 31) % 1000)

function suite(plane: () => Plane): void {
  test('what the worker computed, before and after the frontend came, is found in the index; evictions too', async () => {
    const engine = await started({ dpSize: 2, totalKvTokens: 1600 })
    const side = await deploy(plane(), engine)
    await answer(engine, request(prompt(1, 64), { max_new_tokens: 1 }, { dpRank: 1 }))
    const { index, depth, loads } = indexOf(side.remote)
    await until('the past', () => depth(prompt(1, 64), 1) === 4)
    expect(depth(prompt(1, 64), 0)).toBe(0)
    for (let i = 2; i < 40; i++) await answer(engine, request(prompt(i, 128), { max_new_tokens: 1 }, { dpRank: i % 2 }))
    await until('the last one', () => depth(prompt(39, 128), 1) === 8)
    await until('the first one is evicted', () => depth(prompt(1, 64), 1) === 0)
    expect(index.entries).toBe(side.published.size(0) + side.published.size(1))
    expect(index.orphans).toBe(0)
    await until('loads', () => loads.length > 0)
    await side.close()
    await engine.stop(0)
  }, 30_000)

  test('a dump of a large cache arrives whole', async () => {
    const blocks = 400_000
    const listeners = new Set<(event: EngineEvent) => void>()
    const engine = {
      info: { ...scriptedInfo, totalKvTokens: 16 * blocks, kvEvents: true },
      ready: true,
      on: (listener: (event: EngineEvent) => void) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    } as unknown as Engine
    const side = await deploy(plane(), engine)
    const names = Uint32Array.from({ length: 2 * blocks }, (_, i) => (i % 2 === 0 ? i : 7))
    for (const tell of listeners)
      tell({ kind: 'kv', rank: 0, seq: 0, changes: [{ kind: 'stored', blocks: names, parent: null, local: names, tier: 'device' }] })
    let seen = 0
    side.remote.on((event) => {
      if (event.kind === 'kv') for (const change of event.changes) seen += change.kind === 'stored' ? change.blocks.length / 2 : 0
    })
    await until('all of it', () => seen >= blocks)
    await side.close()
  }, 30_000)
}

describe('tcp and zmq', () => suite(() => tcp))

describe.skipIf(!needsNats())('nats', () => {
  let server: Broker
  let connection: NatsConnection
  beforeAll(async () => {
    server = await startNats()
    connection = await connectNats({ servers: [`nats://127.0.0.1:${server.port}`] }, 'test', false)
  })
  afterAll(async () => {
    await connection.close()
    await server.stop()
  })
  suite(() => ({
    events: () => natsEvents(connection),
    serve: (service) => natsServer(connection, service, { prefix: 'test.worker' }),
    connect: (address) => natsClient(connection, address),
  }))

  test('the server is killed and comes back under load: nothing is missing in the end', async () => {
    const engine = await started({ totalKvTokens: 3200 })
    const side = await deploy(
      {
        events: () => natsEvents(connection),
        serve: (service) => natsServer(connection, service, { prefix: 'test.worker' }),
        connect: (address) => natsClient(connection, address),
      },
      engine,
    )
    const { index, depth } = indexOf(side.remote)
    let loading = true
    let count = 0
    const load = (async () => {
      for (; loading; count++) {
        await answer(engine, request(prompt(count, 96), { max_new_tokens: 1 }))
        await Bun.sleep(2)
      }
    })()
    await until('events flow', () => index.entries > 50)
    const before = count
    await server.kill()
    await until('events are lost', () => count > before + 20)
    await server.restart()
    await until('it goes on', () => count > before + 60)
    loading = false
    await load
    await until('the last prompt', () => depth(prompt(count - 1, 96), 0) === 6)
    await until('as many blocks', () => index.entries === side.published.size(0))
    for (let i = count - 20; i < count; i++) expect(depth(prompt(i, 96), 0)).toBe(6)
    await side.close()
    await engine.stop(0)
  }, 30_000)
})
