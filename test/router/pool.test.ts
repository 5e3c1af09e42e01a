import { describe, expect, test } from 'bun:test'
import { defaultRouterOptions } from '../../src/router/options.ts'
import { createPool } from '../../src/router/pool.ts'
import { workerSet } from '../../src/router/workers.ts'
import { fakeWorker, testPool, tokens } from '../helpers/fakes/router-pool.ts'

const idle = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 }

describe('kv', () => {
  test('a prompt goes to the rank that holds most of it', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b', { dpSize: 2 })]
    const { place } = testPool([a, b])
    b.holds(tokens(48), 1)
    a.holds(tokens(16))
    const lease = place()
    expect([lease.workerId, lease.dpRank, lease.overlapTokens]).toEqual(['b', 1, 48])
  })

  test('what runs on a rank weighs against what it holds', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b')]
    const { place } = testPool([a, b])
    a.holds(tokens(32))
    // Each of these leaves 4 blocks of decode and 4 of prefill on a.
    place({ promptIds: tokens(64, 1), workerId: 'a' })
    expect(place().workerId).toBe('b')
  })

  test('siblings of a prompt that was just placed follow it before any event', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b'), fakeWorker('c')])
    const first = place()
    first.started()
    const second = place()
    expect(second.workerId).toBe(first.workerId)
    expect(second.overlapTokens).toBe(64)
  })

  test('equal ranks share the requests', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')])
    const count = { a: 0, b: 0 }
    for (let i = 1; i <= 20; i++) count[place({ promptIds: tokens(64, i) }).workerId as 'a' | 'b']++
    expect(count).toEqual({ a: 10, b: 10 })
  })

  test('adapters and tenants share nothing', () => {
    const { place } = testPool([fakeWorker('a')])
    place()
    expect(place({ lora: 'x' }).overlapTokens).toBe(0)
    expect(place({ cacheSalt: 'x' }).overlapTokens).toBe(0)
    expect(place().overlapTokens).toBe(64)
  })

  test('an override counts for its request only', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b')]
    const { place, pool } = testPool([a, b])
    a.holds(tokens(64))
    place({ promptIds: tokens(16, 1), workerId: 'a' })
    expect(pool.explain({ requestId: 'r', promptIds: tokens(64), overrides: { overlapScoreCredit: 0 } }).chosen).toBe('b/0')
    expect(pool.explain({ requestId: 'r', promptIds: tokens(64) }).chosen).toBe('a/0')
  })

  test('a prompt that only the engine can read goes by load', () => {
    const { place, pool } = testPool([fakeWorker('a'), fakeWorker('b')])
    place({ workerId: 'a' })
    const lease = place({ promptIds: new Uint32Array(0) })
    expect(lease).toMatchObject({ workerId: 'b', overlapTokens: 0 })
    expect(pool.booked()).toMatchObject({ requests: 2, prefillTokens: 64, decodeBlocks: 4 })
  })

  test('workers of different block sizes live in one pool', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b', { blockSize: 64 })]
    const { place } = testPool([a, b])
    b.holds(tokens(64))
    expect(place()).toMatchObject({ workerId: 'b', overlapTokens: 64 })
  })
})

describe('what is not told by events', () => {
  test('a rank counts as holding what it was just sent, until its events should have told', () => {
    const { place, clock } = testPool([fakeWorker('a')])
    const first = place()
    first.started()
    first.release()
    clock.pass(4999)
    expect(place().overlapTokens).toBe(64)
    const off = testPool([fakeWorker('a')], { predictedTtlSecs: 0 })
    const other = off.place()
    other.started()
    other.release()
    expect(off.place().overlapTokens).toBe(0)
  })

  test('a request that never began leaves no trust behind', () => {
    const { place } = testPool([fakeWorker('a')])
    place().release()
    expect(place().overlapTokens).toBe(0)
  })

  test('an engine that keeps no prefixes is believed to hold nothing', () => {
    const { place } = testPool([fakeWorker('a', { kvEvents: false, forgets: true })], { ttlSecs: 30 })
    place().started()
    expect(place().overlapTokens).toBe(0)
  })

  test('without events prompts are remembered for the time that was set, the ones that fit', () => {
    for (const { worker, options } of [
      { worker: fakeWorker('a'), options: { useKvEvents: false, ttlSecs: 30 } },
      { worker: fakeWorker('a', { kvEvents: false }), options: { ttlSecs: 30 } },
    ]) {
      const { place, clock } = testPool([worker], options)
      const send = (seed: number, count = 64) => {
        const lease = place({ promptIds: tokens(count, seed) })
        lease.started()
        lease.release()
        return lease.overlapTokens
      }
      send(1)
      clock.pass(29_000)
      expect(send(1)).toBe(64)
      clock.pass(30_000)
      expect(send(1)).toBe(0)
      // 62 blocks is all it has.
      send(2, 16 * 60)
      expect(send(1)).toBe(0)
    }
  })

  test('nor is what another frontend sent there', () => {
    const options = { useKvEvents: false }
    const [one, other] = [testPool([fakeWorker('a'), fakeWorker('b')], options), testPool([fakeWorker('a'), fakeWorker('b')], options)]
    one.pool.onBooking((event) => other.pool.applyRemote('one', event))
    const lease = one.place()
    lease.started()
    lease.release()
    expect(other.place()).toMatchObject({ workerId: lease.workerId, overlapTokens: 64 })
  })

  test('events are not listened to when they are not wanted', () => {
    const a = fakeWorker('a')
    const { place } = testPool([a], { useKvEvents: false })
    a.holds(tokens(64))
    expect(place().overlapTokens).toBe(0)
  })

  test('an emptied cache holds nothing', () => {
    const a = fakeWorker('a')
    const { place } = testPool([a])
    const first = place()
    first.started()
    first.release()
    a.holds(tokens(64))
    a.emit({ kind: 'kv', rank: 0, seq: 1, changes: [{ kind: 'cleared' }] })
    expect(place().overlapTokens).toBe(0)
  })
})

describe('bookings', () => {
  test('the prompt is booked until the first row, blocks until the end', () => {
    const a = fakeWorker('a')
    const { place, pool } = testPool([a])
    a.holds(tokens(16))
    const lease = place({ promptIds: tokens(70) })
    expect(pool.booked()).toEqual({ requests: 1, prefillTokens: 54, decodeBlocks: 5, queued: 0 })
    lease.started()
    lease.started()
    expect(pool.booked()).toEqual({ requests: 1, prefillTokens: 0, decodeBlocks: 5, queued: 0 })
    lease.release()
    lease.release()
    expect(pool.booked()).toEqual(idle)
  })

  test('shared blocks are booked once; --no-router-assume-kv-reuse books them each time', () => {
    const shared = testPool([fakeWorker('a')])
    shared.place()
    shared.place()
    expect(shared.pool.booked().decodeBlocks).toBe(4)
    const apart = testPool([fakeWorker('a')], { assumeKvReuse: false })
    apart.place()
    apart.place()
    expect(apart.pool.booked().decodeBlocks).toBe(8)
  })

  test('the answer is booked too when asked for, half of its greatest length', () => {
    const { place, pool } = testPool([fakeWorker('a')], { trackOutputBlocks: true })
    place({ maxNewTokens: 64 })
    expect(pool.booked().decodeBlocks).toBe(6)
  })

  test('they go with their worker, and late releases change nothing', () => {
    const { place, pool, workers } = testPool([fakeWorker('a')])
    const lease = place()
    workers.remove('a')
    expect(pool.booked()).toEqual(idle)
    workers.add(fakeWorker('a'))
    lease.started()
    lease.release()
    expect(pool.booked()).toEqual(idle)
  })

  test('an embedding holds no blocks', () => {
    const { place, pool } = testPool([fakeWorker('a')])
    const lease = place({ embedding: true })
    expect(pool.booked()).toEqual({ requests: 1, prefillTokens: 64, decodeBlocks: 0, queued: 0 })
    lease.release({})
    expect(pool.booked()).toEqual(idle)
  })

  test('other frontends can follow them', () => {
    const [one, other] = [testPool([fakeWorker('a')]), testPool([fakeWorker('a')])]
    one.pool.onBooking((event) => other.pool.applyRemote('one', event))
    const early = one.place()
    const lease = one.place({ promptIds: tokens(64, 1) })
    expect(other.pool.booked()).toEqual(one.pool.booked())
    lease.started()
    expect(other.pool.booked()).toEqual(one.pool.booked())
    lease.release()
    expect(other.pool.booked()).toEqual(one.pool.booked())
    expect(other.pool.bookings()).toEqual([])

    const late = testPool([fakeWorker('a')])
    for (const event of one.pool.bookings()) late.pool.applyRemote('one', event)
    expect(late.pool.booked()).toEqual(one.pool.booked())
    late.pool.dropRemote('one')
    expect(late.pool.booked()).toEqual(idle)
    early.release()
    expect(other.pool.booked()).toEqual(idle)
  })
})

describe('who can take a request', () => {
  test('a worker that is not ready gets nothing; without any it is 503 at once', () => {
    const [down, up] = [fakeWorker('down'), fakeWorker('up')]
    down.engine.ready = false
    expect(testPool([down, up]).place().workerId).toBe('up')
    expect(() => testPool([down]).place()).toThrow(expect.objectContaining({ code: 'engine_unavailable', retryAfterSecs: 5 }))
    expect(() => testPool([]).place()).toThrow(expect.objectContaining({ code: 'engine_unavailable' }))
  })

  test('a worker or rank that does not exist is named', () => {
    const { place } = testPool([fakeWorker('a', { dpSize: 2 })])
    expect(() => place({ workerId: 'z' })).toThrow(
      expect.objectContaining({ code: 'invalid_value', param: 'nvext.backend_instance_id', message: 'No worker z; known: a.' }),
    )
    expect(() => place({ dpRank: 2 })).toThrow(
      expect.objectContaining({
        code: 'invalid_value',
        param: 'nvext.dp_rank',
        message: 'There is no data-parallel rank 2; ranks are 0 to 1.',
      }),
    )
    expect(place({ workerId: 'a', dpRank: 1 })).toMatchObject({ workerId: 'a', dpRank: 1 })
  })

  test('workers that failed the request before are the last choice', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')])
    expect(place({ avoid: new Set(['a']) }).workerId).toBe('b')
    expect(place({ avoid: new Set(['a', 'b']) }).workerId).toBeString()
  })

  test('direct takes only requests that name their worker', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')], { mode: 'direct' })
    expect(place({ workerId: 'b' }).workerId).toBe('b')
    expect(() => place()).toThrow(expect.objectContaining({ code: 'missing_parameter', param: 'nvext.backend_instance_id' }))
  })

  test('an unknown mode or cost is refused with the list', () => {
    const make = (change: object) => () => createPool(workerSet(), { ...defaultRouterOptions, ...change })
    expect(make({ mode: 'kvv' })).toThrow(
      'There is no router mode kvv; known: kv, round-robin, random, least-loaded, power-of-two, direct.',
    )
    expect(make({ cost: 'free' })).toThrow(/There is no router cost free; known: reuse, dynamo/)
  })

  test('an engine that comes back as something else is taken as that', () => {
    const a = fakeWorker('a')
    const { pool, place } = testPool([a])
    const lease = place()
    Object.assign(a.engine, { info: { ...a.engine.info, dpSize: 2, blockSize: 32 } })
    a.emit({ kind: 'state', ready: true, reason: 'restarted' })
    expect(pool.booked()).toEqual(idle)
    lease.release()
    expect([place().dpRank, place({ promptIds: tokens(64, 1) }).dpRank].toSorted()).toEqual([0, 1])
    expect(pool.booked()).toMatchObject({ requests: 2, decodeBlocks: 4 })
    expect(pool.explain({ requestId: 'r', promptIds: tokens(64) }).blockSize).toBe(32)
  })

  test('an engine that has not started yet comes in when it is ready', () => {
    const late = fakeWorker('late')
    const { info } = late.engine
    Object.defineProperty(late.engine, 'info', { configurable: true, get: () => { throw new Error('not started') } }) // biome-ignore format: one line
    late.engine.ready = false
    const { pool, place } = testPool([late])
    expect(pool.ready()).toBe(false)
    Object.defineProperty(late.engine, 'info', { configurable: true, value: info })
    late.engine.ready = true
    late.emit({ kind: 'state', ready: true, reason: 'started' })
    expect(place().workerId).toBe('late')
  })
})
