// A frontend's routers and cards as replica sync sees them.
import { afterEach, expect, test } from 'bun:test'
import { createRouter } from '../../../src/router/create.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { createReplicas } from '../../../src/router/replicas/replicas.ts'
import { frontendCard, noteCard, shareRouter } from '../../../src/router/replicas/share.ts'
import { workerSet } from '../../../src/router/workers.ts'
import { zmqEvents } from '../../../src/transport/zmq-events.ts'
import { until } from '../../helpers/run-request.ts'
import { scriptedEngine } from '../../helpers/scripted-engine.ts'

const closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

async function frontend(id: string) {
  const workers = workerSet()
  const router = createRouter(workers, { ...defaultRouterOptions, mode: 'round-robin' })
  const plane = zmqEvents({ host: '127.0.0.1' })
  const replicas = await createReplicas({ plane, id, beatMs: 20 })
  shareRouter(replicas, 'model', router, workers)
  closing.push(router, replicas, plane)
  return { workers, router, replicas, card: frontendCard(id, 'here', replicas), note: noteCard.bind(null, replicas) }
}

const place = { requestId: 'r', promptIds: new Uint32Array(16) }

test('a booking made before the other knew the worker is seen once it does; a frontend that leaves takes it along', async () => {
  const [a, b] = [await frontend('a'), await frontend('b')]
  const cards = [a.card, b.card]
  for (const side of [a, b]) for (const card of cards) side.note({ kind: 'added', card })
  a.workers.add({ id: 'w', engine: scriptedEngine() })
  const lease = await a.router.place(place, new AbortController().signal)
  await Bun.sleep(60)
  expect(b.router.booked().requests).toBe(0)
  b.workers.add({ id: 'w', engine: scriptedEngine() })
  await until('it is seen', () => b.router.booked().requests === 1)
  b.note({ kind: 'gone', card: a.card })
  expect(b.router.booked().requests).toBe(0)
  lease.release()
})

test('pools of prefill and decode workers, made later, are shared too', async () => {
  const [a, b] = [await frontend('a'), await frontend('b')]
  for (const side of [a, b]) {
    for (const { card } of [a, b]) side.note({ kind: 'added', card })
    for (const role of ['prefill', 'decode'] as const) {
      const engine = scriptedEngine()
      side.workers.add({ id: role, engine: Object.assign(engine, { info: { ...engine.info, role } }) })
    }
  }
  const lease = await a.router.place(place, new AbortController().signal)
  await until('both legs are seen', () => b.router.booked().requests === 2)
  lease.release()
  await until('both are free', () => b.router.booked().requests === 0)
})
