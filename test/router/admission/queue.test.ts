import { describe, expect, test } from 'bun:test'
import { enqueue, expire, nextDeadline, queueWeight, type Waiting } from '../../../src/router/admission/queue.ts'
import { fakeWorker, testPool, tokens } from '../../helpers/fakes/router-pool.ts'

describe('the order', () => {
  const waiting = (arrival: number, priority = 0, weight = 0, deadline = 1000): Waiting => ({ arrival, priority, weight, deadline })

  test('priority first, then weight, then arrival', () => {
    const queue: Waiting[] = []
    for (const one of [waiting(0), waiting(1, 0, 2), waiting(2, 1), waiting(3), waiting(4, -1, 9), waiting(5, 1)]) enqueue(queue, one)
    expect(queue.map((one) => one.arrival)).toEqual([2, 5, 1, 0, 3, 4])
  })

  test('short uncached prompts weigh more under wspt, all the same under fcfs', () => {
    expect(queueWeight('fcfs', 3, 10)).toBe(queueWeight('fcfs', 0, 9999))
    expect(queueWeight('wspt', 0, 100)).toBeGreaterThan(queueWeight('wspt', 0, 1000))
    expect(queueWeight('wspt', 4, 1000)).toBeGreaterThan(queueWeight('wspt', 0, 1000))
  })

  test('those whose time has come are taken out', () => {
    const queue = [waiting(0, 0, 0, 50), waiting(1, 0, 0, 20), waiting(2, 0, 0, 90)]
    expect(nextDeadline(queue)).toBe(20)
    expect(expire(queue, 50).map((one) => one.arrival)).toEqual([0, 1])
    expect(queue.map((one) => one.arrival)).toEqual([2])
    expect(nextDeadline([])).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('waiting', () => {
  const turn = () => Promise.resolve()

  test('at its request limit a worker takes the next one when one is over, in order of priority', async () => {
    const { place, wait, pool } = testPool([fakeWorker('a')], { engineRequestLimit: 1 })
    const first = place()
    const order: string[] = []
    const named = (requestId: string, priority = 0) =>
      wait({ requestId, priority }).then((lease) => {
        order.push(requestId)
        return lease
      })
    const low = named('low')
    const high = named('high', 5)
    await turn()
    expect(pool.booked()).toMatchObject({ requests: 1, queued: 2 })
    first.release()
    const second = await high
    expect(pool.booked()).toMatchObject({ requests: 1, queued: 1 })
    second.release()
    const third = await low
    third.release()
    expect(order).toEqual(['high', 'low'])
    expect(pool.booked()).toEqual({ requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 })
  })

  test('with a threshold requests wait while every rank has that much prompt to compute', async () => {
    const { place, wait, pool } = testPool([fakeWorker('a', { maxPrefillTokens: 100 })], { queueThreshold: 1 })
    const first = place({ promptIds: tokens(90) })
    const second = place({ promptIds: tokens(90, 1) })
    const third = wait({ promptIds: tokens(90, 2) })
    await turn()
    expect(pool.booked().queued).toBe(1)
    first.started()
    expect((await third).workerId).toBe('a')
    second.release()
  })

  test('shortest first under wspt', async () => {
    const { place, wait } = testPool([fakeWorker('a')], { engineRequestLimit: 1, queuePolicy: 'wspt' })
    const first = place()
    const order: string[] = []
    const long = wait({ promptIds: tokens(80, 1) }).then((lease) => order.push('long') && lease.release())
    const short = wait({ promptIds: tokens(20, 2) }).then((lease) => order.push('short') && lease.release())
    first.release()
    await Promise.all([long, short])
    expect(order).toEqual(['short', 'long'])
  })

  test('who cannot wait any longer is told so', async () => {
    const { place, wait, clock, pool } = testPool([fakeWorker('a')], { engineRequestLimit: 1, queueDeadlineSecs: 2 })
    place()
    const waiting = wait()
    clock.pass(1999)
    expect(pool.booked().queued).toBe(1)
    clock.pass(1)
    expect(waiting).rejects.toMatchObject({ code: 'overloaded', status: 529, retryAfterSecs: 1 })
    await turn()
    expect(pool.booked()).toMatchObject({ requests: 1, queued: 0 })
  })

  test('too many are refused', async () => {
    const { place, wait } = testPool([fakeWorker('a')], { engineRequestLimit: 1, queueLimit: 1, overloadStatus: 503 })
    place()
    const waiting = wait()
    expect(wait()).rejects.toMatchObject({ code: 'overloaded', status: 503, retryAfterSecs: 1 })
    waiting.catch(() => {})
    const none = testPool([fakeWorker('a')], { engineRequestLimit: 1, queueLimit: 0 })
    none.place()
    expect(() => none.place()).toThrow(expect.objectContaining({ code: 'overloaded', status: 529 }))
  })

  test('a client that leaves does not wait', async () => {
    const { place, wait, pool } = testPool([fakeWorker('a')], { engineRequestLimit: 1 })
    place()
    const client = new AbortController()
    const waiting = wait({}, client.signal)
    client.abort()
    expect(waiting).rejects.toMatchObject({ code: 'client_closed_request' })
    await turn()
    expect(pool.booked().queued).toBe(0)
  })

  test('a new worker takes who waits; when the last one goes, they are told', async () => {
    const { place, wait, workers } = testPool([fakeWorker('a')], { engineRequestLimit: 1 })
    place()
    const second = wait()
    workers.add(fakeWorker('b'))
    expect((await second).workerId).toBe('b')
    const third = wait()
    workers.remove('a')
    workers.remove('b')
    expect(third).rejects.toMatchObject({ code: 'engine_unavailable' })
  })

  test('one that only wants a full worker does not hold up the others', async () => {
    const { place, wait } = testPool([fakeWorker('a'), fakeWorker('b')], { engineRequestLimit: 1 })
    place({ workerId: 'a' })
    const onB = place({ workerId: 'b' })
    const forA = wait({ workerId: 'a' })
    const any = wait()
    onB.release()
    expect((await any).workerId).toBe('b')
    forA.catch(() => {})
  })

  test('closing the pool ends every wait', async () => {
    const { place, wait, pool } = testPool([fakeWorker('a')], { engineRequestLimit: 1 })
    place()
    const waiting = wait()
    pool.close()
    expect(waiting).rejects.toMatchObject({ code: 'shutting_down' })
  })
})
