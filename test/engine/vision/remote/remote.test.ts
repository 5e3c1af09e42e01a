// An encoder in another process: the seam over the request plane, TCP here.
import { afterEach, expect, test } from 'bun:test'
import { cachedEncoder, EmbeddingCache } from '../../../../src/engine/vision/cache.ts'
import { type MockEncoder, type MockEncoderOptions, mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { visionPool } from '../../../../src/engine/vision/pool/pool.ts'
import { remoteEncoder } from '../../../../src/engine/vision/remote/encoder.ts'
import { type EncoderHost, type EncoderHostOptions, hostEncoder } from '../../../../src/engine/vision/remote/host.ts'
import type { VisionEncoder } from '../../../../src/engine/vision/vision.ts'
import type { PlaneServer } from '../../../../src/transport/request-plane.ts'
import { tcpClient } from '../../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../../src/transport/tcp/server.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

const never = new AbortController().signal
const options: MockEncoderOptions = { modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 2 }

interface World {
  mock: MockEncoder
  host: EncoderHost
  server: PlaneServer
  close(): Promise<void>
}

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

async function worker(more: Partial<MockEncoderOptions> = {}, hostOptions: EncoderHostOptions = {}, port = 0): Promise<World> {
  const mock = mockEncoder({ ...options, ...more })
  await mock.start()
  const host = hostEncoder(mock, hostOptions)
  const server = tcpServer(host.service, { host: '127.0.0.1', port })
  const close = async () => {
    host.close()
    await server.close()
    await mock.stop()
  }
  cleanup.push(close)
  return { mock, host, server, close }
}

async function frontend({ server }: World): Promise<VisionEncoder> {
  const encoder = remoteEncoder(tcpClient(server.address))
  cleanup.push(() => encoder.stop())
  await encoder.start()
  return encoder
}

const worlds: World[] = []
visionSuite(
  'remote encoder',
  async () => {
    const world = await worker()
    cleanup.length = 0 // The suite's own stop comes first.
    worlds.push(world)
    return remoteEncoder(tcpClient(world.server.address))
  },
  {
    pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8), madeUpPicture('c')],
    more: () =>
      test('the worker is left with nothing', () => expect(worlds.map(({ mock }) => mock.patchesInFlight())).toEqual(worlds.map(() => 0))),
  },
)
test('workers of the suite end', async () => {
  for (const { close } of worlds) await close()
})

test('rows of many megabytes come whole, also several at once', async () => {
  const world = await worker({ dim: 3584, parallel: 4 })
  const far = await frontend(world)
  const pictures = ['a', 'b', 'c', 'd'].map((name) => madeUpPicture(name, 20, 31))
  const got = await Promise.all(pictures.map((picture) => far.encode(picture, never)))
  for (const [i, rows] of got.entries()) {
    const own = await world.mock.encode(pictures[i]!, never)
    expect(rows.bytes.length).toBe(20 * 31 * 3584 * 4)
    expect(rows.itemHash).toBe(own.itemHash)
    expect(Buffer.compare(rows.bytes, own.bytes)).toBe(0)
  }
})

test('a caller that leaves ends the work there; failures keep their code', async () => {
  const world = await worker({ failure: 'error=2' })
  const far = await frontend(world)
  expect((await far.encode(madeUpPicture('a'), never)).rows).toBe(12)
  await expect(far.encode(madeUpPicture('a'), never)).rejects.toMatchObject({
    code: 'engine_failed',
    message: expect.stringContaining('told to fail'),
  })
  world.mock.hang()
  const leaving = new AbortController()
  const work = far.encode(madeUpPicture('b'), leaving.signal)
  while (world.mock.patchesInFlight() === 0) await Bun.sleep(1)
  leaving.abort()
  await expect(work).rejects.toMatchObject({ code: 'client_closed_request' })
  while (world.mock.patchesInFlight() > 0) await Bun.sleep(1)
})

test('state crosses: an encoder that dies and comes back, a worker that drains', async () => {
  let draining = false
  const world = await worker({ failure: 'restart=30' }, { draining: () => draining })
  const far = await frontend(world)
  const states: boolean[] = []
  const deaths: (boolean | undefined)[] = []
  far.on(({ ready, died }) => {
    states.push(ready)
    deaths.push(died)
  })
  const running = far.encode(madeUpPicture('a'), never)
  world.mock.hang()
  while (world.mock.patchesInFlight() === 0) await Bun.sleep(1)
  world.mock.die()
  await expect(running).rejects.toMatchObject({ code: 'engine_unavailable' })
  while (!far.ready) await Bun.sleep(1)
  world.mock.revive()
  draining = true
  await expect(far.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'engine_unavailable' })
  world.host.tell()
  while (far.ready) await Bun.sleep(1)
  expect(states).toEqual([false, true, false])
  expect(deaths).toEqual([false, false, false])
})

test('a worker whose connection is lost without a word has died', async () => {
  const world = await worker()
  const far = await frontend(world)
  const deaths: (boolean | undefined)[] = []
  far.on(({ died }) => deaths.push(died))
  await world.server.close()
  while (far.ready) await Bun.sleep(1)
  expect(deaths).toEqual([true])
})

test('the load of other callers is known', async () => {
  const world = await worker()
  const [one, two] = [await frontend(world), await frontend(world)]
  world.mock.hang()
  const work = one.encode(madeUpPicture('a'), never)
  expect(one.patchesInFlight()).toBe(48)
  while (two.patchesInFlight() !== 48) await Bun.sleep(5)
  world.mock.revive()
  await work
  while (two.patchesInFlight() !== 0) await Bun.sleep(5)
})

test('a worker that is gone fails its pictures at once, and serves again when it is back at its place', async () => {
  const world = await worker()
  const place = world.server.address.split('/').slice(0, 3).join('/')
  const far = remoteEncoder(tcpClient(place))
  cleanup.push(() => far.stop())
  await far.start()
  world.mock.hang()
  const work = far.encode(madeUpPicture('a'), never)
  while (world.mock.patchesInFlight() === 0) await Bun.sleep(1)
  const [end] = await Promise.allSettled([work, world.close()])
  expect(end).toMatchObject({ status: 'rejected', reason: { code: 'engine_unavailable' } })
  expect(far.ready).toBe(false)
  await worker({}, {}, Number(place.split(':')[2]))
  while (!far.ready) await Bun.sleep(10)
  expect((await far.encode(madeUpPicture('a'), never)).rows).toBe(12)
})

test('a worker that lives is heard about twice a second, and is not when its connection is lost', async () => {
  const world = await worker()
  const far = await frontend(world)
  for (let i = 0; i < 3; i++) {
    const heardAt = far.heardAt!
    while (far.heardAt === heardAt) await Bun.sleep(10)
  }
  await world.close()
  while (far.ready) await Bun.sleep(1)
  const lost = far.heardAt
  await Bun.sleep(600)
  expect(far.heardAt).toBe(lost)
})

test('200 pictures over three workers behind a cache, two of them lost on the way: all come', async () => {
  const workers = [await worker(), await worker({ failure: 'die-after=30,restart=50' }), await worker()]
  const pool = visionPool()
  for (const [i, { server }] of workers.entries()) pool.add(`w${i}`, remoteEncoder(tcpClient(server.address)))
  const cache = new EmbeddingCache(1e7)
  const all = cachedEncoder(pool, cache)
  cleanup.push(() => all.stop())
  await all.start()
  while (pool.figures().some(({ ready }) => !ready)) await Bun.sleep(1)
  const pictures = Array.from({ length: 200 }, (_, i) => madeUpPicture(`${i % 100}`, 4, 4 + (i % 3)))
  const work = pictures.map((picture) => all.encode(picture, never))
  while (workers[0]!.mock.encoded < 10) await Bun.sleep(1)
  await workers[0]!.close()
  const rows = await Promise.all(work)
  expect(rows.map((each) => each.rows)).toEqual(pictures.map((picture) => picture.tokens))
  expect(cache.figures.misses).toBeLessThanOrEqual(200)
})

test('a head that is no encoder’s is refused by name', async () => {
  const world = await worker()
  const client = tcpClient(world.server.address)
  cleanup.push(() => client.close())
  while (!client.connected) await Bun.sleep(1)
  const refused = (head: Uint8Array) =>
    new Promise((resolve) => client.open(head, { message: () => {}, end: () => resolve('ended'), fail: ({ code }) => resolve(code) }))
  for (const head of [
    new Uint8Array(0),
    Uint8Array.of(1, 2),
    Uint8Array.of(48),
    Uint8Array.of(48, 0x80),
    Uint8Array.of(49, 0xff),
    Uint8Array.of(50, 1),
  ])
    expect(await refused(head)).toBe('engine_rejected')
})
