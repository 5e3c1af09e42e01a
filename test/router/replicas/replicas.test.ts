// Frontends that share workers see each other's load, also over a wire that loses messages, and forget a frontend that is gone.
import { afterEach, expect, test } from 'bun:test'
import type { BookingEvent } from '../../../src/router/load/bookings.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { createPool } from '../../../src/router/pool.ts'
import { createReplicas, type Replicas, type SharedPool } from '../../../src/router/replicas/replicas.ts'
import { workerSet } from '../../../src/router/workers.ts'
import type { EventPlane } from '../../../src/transport/event-plane.ts'
import { zmqEvents } from '../../../src/transport/zmq-events.ts'
import { scriptedEngine } from '../../helpers/fakes/scripted-engine.ts'
import { until } from '../../helpers/run-request.ts'

const closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

/** All planes of one test; `lossy` is asked for each message and listener. */
function wire(lossy: () => boolean = () => false) {
  const listeners = new Map<string, Set<(bytes: Uint8Array) => void>>()
  return (): EventPlane => ({
    async publisher(name) {
      return {
        address: name,
        publish: (bytes) => {
          const copy = bytes.slice()
          for (const hear of listeners.get(name) ?? []) if (!lossy()) queueMicrotask(() => hear(copy))
        },
        close() {},
      }
    },
    listen(address, listener) {
      const set = listeners.get(address) ?? new Set()
      listeners.set(address, set.add(listener.message))
      queueMicrotask(() => listener.connected?.())
      return { close: () => void set.delete(listener.message) }
    },
    async close() {},
  })
}

/** A pool that only writes down. */
function notebook() {
  const own = new Map<number, BookingEvent>()
  const remote = new Map<string, Map<number, BookingEvent>>()
  const listeners = new Set<(event: BookingEvent) => void>()
  const pool: SharedPool = {
    onBooking: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    bookings: () => [...own.values()],
    applyRemote(id, event) {
      const known = remote.get(id) ?? new Map()
      remote.set(id, known)
      if (event.kind === 'add') known.set(event.key, event)
      else if (event.kind === 'free') known.delete(event.key)
    },
    dropRemote: (id) => void remote.delete(id),
  }
  return {
    pool,
    tell(event: BookingEvent) {
      if (event.kind === 'add') own.set(event.key, event)
      else if (event.kind === 'free') own.delete(event.key)
      for (const listener of listeners) listener(event)
    },
    keys: () => [...own.keys()].sort(),
    seen: (id: string) => [...(remote.get(id)?.keys() ?? [])].sort(),
  }
}

const add = (key: number, words = 4): BookingEvent => ({
  kind: 'add',
  key,
  workerId: 'w1',
  rank: 0,
  prefillTokens: 10,
  ownBlocks: 1,
  chain: new Uint32Array(words).fill(key),
})

async function frontends(ids: string[], plane: () => EventPlane) {
  const all = await Promise.all(
    ids.map(async (id) => {
      const replicas = await createReplicas({ plane: plane(), id, beatMs: 20 })
      closing.push(replicas)
      const book = notebook()
      replicas.share('model/aggregated', book.pool)
      return { id, replicas, ...book }
    }),
  )
  const meet = (one: { replicas: Replicas }) => {
    for (const { id, replicas } of all) one.replicas.join(id, replicas.address)
  }
  return { all, meet }
}

test('bookings of one are seen by the others, and given back', async () => {
  const { all, meet } = await frontends(['a', 'b', 'c'], wire())
  for (const one of all) meet(one)
  const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]]
  await until('they know each other', () => {
    a.tell(add(1))
    return b.seen('a').length === 1 && c.seen('a').length === 1
  })
  a.tell({ kind: 'started', key: 1 })
  a.tell({ kind: 'free', key: 1 })
  await until('it is free', () => b.seen('a').length === 0 && c.seen('a').length === 0)
})

test('one that comes later learns what is booked already, in as many parts as it takes', async () => {
  const { all, meet } = await frontends(['a', 'b'], wire())
  const [a, b] = all as [(typeof all)[0], (typeof all)[0]]
  for (let key = 1; key <= 40; key++) a.tell(add(key, 20_000))
  for (const one of all) meet(one)
  await until('all of them', () => b.seen('a').length === 40)
})

test('a frontend that is gone takes its bookings with it', async () => {
  const { all, meet } = await frontends(['a', 'b'], wire())
  const [a, b] = all as [(typeof all)[0], (typeof all)[0]]
  for (const one of all) meet(one)
  a.tell(add(1))
  await until('it is seen', () => b.seen('a').length === 1)
  b.replicas.leave('a')
  expect(b.seen('a')).toEqual([])
})

test('a pool that is made later gets the bookings that others have in theirs', async () => {
  const { all, meet } = await frontends(['a', 'b'], wire())
  const [a, b] = all as [(typeof all)[0], (typeof all)[0]]
  for (const one of all) meet(one)
  const [theirs, ours] = [notebook(), notebook()]
  a.replicas.share('model/prefill', theirs.pool)
  theirs.tell(add(5))
  await Bun.sleep(30)
  b.replicas.share('model/prefill', ours.pool)
  await until('it is there', () => ours.seen('a').length === 1)
  expect(b.seen('a')).toEqual([])
})

test('over a wire that loses every fourth message all agree once it is quiet', async () => {
  let calm = false
  let count = 0
  const { all, meet } = await frontends(
    ['a', 'b', 'c'],
    wire(() => !calm && ++count % 4 === 0),
  )
  for (const one of all) meet(one)
  for (let key = 1; key <= 300; key++) {
    const one = all[key % 3]!
    one.tell(add(key))
    if (key % 2 === 0) one.tell({ kind: 'free', key: Math.max(1, key - 9) })
    if (key % 7 === 0) await Bun.sleep(1)
  }
  calm = true
  await until('all agree', () =>
    all.every((one) => all.every((other) => one === other || one.seen(other.id).join() === other.keys().join())),
  )
})

test('two routers on the same workers count the same load, over real sockets', async () => {
  const sides = await Promise.all(
    ['a', 'b'].map(async (id) => {
      const workers = workerSet()
      for (const worker of ['w1', 'w2']) workers.add({ id: worker, engine: scriptedEngine() })
      const pool = createPool(workers, { ...defaultRouterOptions, mode: 'least-loaded' })
      const plane = zmqEvents({ host: '127.0.0.1' })
      const replicas = await createReplicas({ plane, id, beatMs: 20 })
      replicas.share('model/aggregated', pool)
      closing.push(pool, replicas, plane)
      return { id, pool, replicas }
    }),
  )
  const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]]
  a.replicas.join(b.id, b.replicas.address)
  b.replicas.join(a.id, a.replicas.address)
  const never = new AbortController().signal
  const place = async (pool: typeof a.pool) => pool.place({ requestId: 'r', promptIds: new Uint32Array(64) }, never)
  const leases = [await place(a.pool), await place(a.pool), await place(b.pool)]
  await until('both count three', () => [a, b].every(({ pool }) => pool.booked().requests === 3))
  expect(a.pool.booked()).toEqual(b.pool.booked())
  leases[0]!.started()
  await until('the prompt is over for both', () => b.pool.booked().prefillTokens === a.pool.booked().prefillTokens)
  for (const lease of leases) lease.release()
  const nothing = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 }
  await until('all is free', () => a.pool.booked().requests === 0 && b.pool.booked().requests === 0)
  expect([a.pool.booked(), b.pool.booked()]).toEqual([nothing, nothing])
})
