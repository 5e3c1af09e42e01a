// Frontends of a namespace find each other by their cards and count each other's bookings.
import { afterEach, expect, test } from 'bun:test'
import type { Card, CardChange, Discovery } from '../../../src/discovery/discovery.ts'
import { createRouter } from '../../../src/router/create.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { workerSet } from '../../../src/router/workers.ts'
import { joinPeers } from '../../../src/serve/fleet/peers.ts'
import { zmqEvents } from '../../../src/transport/zmq-events.ts'
import { scriptedEngine } from '../../helpers/fakes/scripted-engine.ts'
import { until } from '../../helpers/run-request.ts'

const closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

async function frontend(id: string) {
  let card!: Card
  const discovery: Discovery = {
    async announce(shown) {
      card = shown
      return { update: async () => {}, withdraw: async () => {} }
    },
    watch: async () => () => {},
    close: async () => {},
  }
  const plane = zmqEvents({ host: '127.0.0.1' })
  const peers = await joinPeers(plane, discovery, 'here', id)
  const workers = workerSet()
  const router = createRouter(workers, { ...defaultRouterOptions, mode: 'round-robin' })
  peers.share('model', router)
  closing.push(router, peers, plane)
  return { workers, router, peers, card, told: (change: CardChange) => peers.change(change) }
}

async function two() {
  const [a, b] = [await frontend('a'), await frontend('b')]
  for (const side of [a, b]) for (const { card } of [a, b]) side.told({ kind: 'added', card })
  return { a, b }
}

const placed = { requestId: 'r', promptIds: new Uint32Array(16) }
const never = new AbortController().signal

test('a booking made before the other knew the worker is seen once it does; a frontend that leaves takes it along', async () => {
  const { a, b } = await two()
  a.workers.add({ id: 'w', engine: scriptedEngine() })
  const lease = await a.router.place(placed, never)
  await Bun.sleep(60)
  expect(b.router.booked().requests).toBe(0)
  b.workers.add({ id: 'w', engine: scriptedEngine() })
  b.peers.renew()
  await until('it is seen', () => b.router.booked().requests === 1)
  b.told({ kind: 'gone', card: a.card })
  expect(b.router.booked().requests).toBe(0)
  lease.release()
})

test('pools of prefill and decode workers, made later, are shared too', async () => {
  const { a, b } = await two()
  for (const { workers } of [a, b])
    for (const role of ['prefill', 'decode'] as const) {
      const engine = scriptedEngine()
      workers.add({ id: role, engine: Object.assign(engine, { info: { ...engine.info, role } }) })
    }
  const lease = await a.router.place(placed, never)
  await until('both legs are seen', () => b.router.booked().requests === 2)
  lease.release()
  await until('both are free', () => b.router.booked().requests === 0)
})
