// Thresholds, breaker and sessions as requests meet them.
import { describe, expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { Lease } from '../../../src/router/router.ts'
import { fakeWorker, testPool, tokens } from '../../helpers/fakes/router-pool.ts'

describe('busy thresholds', () => {
  test('a busy rank is passed over; when all are busy it is 529', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')], { activePrefillTokensThreshold: 50 })
    place({ workerId: 'a' })
    expect(place({ promptIds: tokens(64, 1) }).workerId).toBe('b')
    expect(() => place()).toThrow(expect.objectContaining({ code: 'overloaded', status: 529, retryAfterSecs: 1 }))
  })

  test('the part of a longest prefill step counts the same way, with the status asked for', () => {
    const worker = fakeWorker('a', { maxPrefillTokens: 100 })
    const { place } = testPool([worker], { activePrefillTokensThresholdFrac: 0.5, overloadStatus: 503 })
    place()
    expect(() => place()).toThrow(expect.objectContaining({ code: 'overloaded', status: 503 }))
  })

  test('blocks: booked ones, or what the engine says it uses', () => {
    const worker = fakeWorker('a')
    const { place } = testPool([worker], { activeDecodeBlocksThreshold: 0.5 })
    place().release()
    worker.emit({ kind: 'load', rank: 0, running: 1, waiting: 0, usedTokens: 600, totalTokens: 1000 })
    expect(() => place()).toThrow(expect.objectContaining({ code: 'overloaded' }))
    worker.emit({ kind: 'load', rank: 0, running: 0, waiting: 0, usedTokens: 0, totalTokens: 1000 })
    place({ promptIds: tokens(16 * 32) })
    expect(() => place()).toThrow(expect.objectContaining({ code: 'overloaded' }))
  })

  test('they can be changed while it runs', () => {
    const { place, pool } = testPool([fakeWorker('a')])
    place()
    expect(pool.busyThresholds({ activePrefillTokensThreshold: 10 })).toEqual({
      activeDecodeBlocksThreshold: undefined,
      activePrefillTokensThreshold: 10,
      activePrefillTokensThresholdFrac: undefined,
    })
    expect(() => place()).toThrow(expect.objectContaining({ code: 'overloaded' }))
    pool.busyThresholds({ activePrefillTokensThreshold: undefined })
    place()
  })
})

describe('the breaker', () => {
  const failed = { error: new AppError('engine_failed', { message: 'it broke' }) }
  const fail = (lease: Lease) => lease.release(failed)

  test('a worker that fails three times is left alone, then tried with one request', () => {
    const { place, pool, clock } = testPool([fakeWorker('a'), fakeWorker('b')])
    for (let i = 0; i < 3; i++) fail(place({ workerId: 'a' }))
    for (let i = 0; i < 4; i++) expect(place({ promptIds: tokens(64, i) }).workerId).toBe('b')
    expect(pool.explain({ requestId: 'r', promptIds: tokens(64) }).candidates[0]!.excluded).toBe('its breaker is open')
    clock.pass(5000)
    const trying = place()
    expect(trying.workerId).toBe('a')
    expect(place({ promptIds: tokens(64, 9) }).workerId).toBe('b')
    trying.started()
    expect(place({ promptIds: tokens(64, 8) }).workerId).toBe('a')
  })

  test('the last worker keeps its requests as long as its engine says that it is ready', () => {
    const { place } = testPool([fakeWorker('a')])
    for (let i = 0; i < 5; i++) fail(place())
    expect(place().workerId).toBe('a')
  })

  test('who names a worker gets it', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')])
    for (let i = 0; i < 3; i++) fail(place({ workerId: 'a' }))
    expect(place({ workerId: 'a' }).workerId).toBe('a')
  })

  test('an engine that is ready again is tried at once', () => {
    const a = fakeWorker('a')
    const { place } = testPool([a, fakeWorker('b')])
    for (let i = 0; i < 3; i++) fail(place({ workerId: 'a' }))
    place({ workerId: 'b' })
    a.emit({ kind: 'state', ready: true, reason: 'restarted' })
    expect(place({ promptIds: tokens(64, 1) }).workerId).toBe('a')
  })

  test('what clients do wrong is no failure of the engine', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')])
    for (let i = 0; i < 9; i++) place({ workerId: 'a' }).release({ error: new AppError('invalid_value', { message: 'no' }) })
    place({ workerId: 'b' })
    expect(place({ promptIds: tokens(64, 1) }).workerId).toBe('a')
  })
})

describe('sessions', () => {
  const options = { sessionAffinityTtlSecs: 60 }

  test('one session stays on its rank while it lives and is used', () => {
    const { place, clock } = testPool([fakeWorker('a', { dpSize: 2 }), fakeWorker('b')], options)
    const first = place({ sessionId: 's' })
    for (let i = 1; i < 5; i++) {
      clock.pass(50_000)
      const next = place({ sessionId: 's', promptIds: tokens(160, i) })
      expect([next.workerId, next.dpRank]).toEqual([first.workerId, first.dpRank])
    }
    clock.pass(61_000)
    expect(place({ sessionId: 's', promptIds: tokens(64, 7) }).workerId).not.toBe(first.workerId)
  })

  test('hard: that worker or none while it restarts; gone: another one', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b')]
    const { place, workers } = testPool([a, b], options)
    const first = place({ sessionId: 's' })
    const bound = first.workerId === 'a' ? a : b
    bound.engine.ready = false
    expect(() => place({ sessionId: 's' })).toThrow(/holds this session, is not ready/)
    workers.remove(bound.id)
    expect(place({ sessionId: 's' }).workerId).not.toBe(bound.id)
  })

  test('soft: another one while it cannot', () => {
    const [a, b] = [fakeWorker('a'), fakeWorker('b')]
    const { place } = testPool([a, b], { ...options, sessionAffinityMode: 'soft' })
    const first = place({ sessionId: 's' })
    ;(first.workerId === 'a' ? a : b).engine.ready = false
    const second = place({ sessionId: 's' })
    expect(second.workerId).not.toBe(first.workerId)
    a.engine.ready = b.engine.ready = true
    expect(place({ sessionId: 's', promptIds: tokens(64, 3) }).workerId).toBe(second.workerId)
  })

  test('a retry leaves the worker that failed, and the session with it', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')], options)
    const first = place({ sessionId: 's' })
    const second = place({ sessionId: 's', avoid: new Set([first.workerId]) })
    expect(second.workerId).not.toBe(first.workerId)
    expect(place({ sessionId: 's' }).workerId).toBe(second.workerId)
  })

  test('a named worker wins over the session', () => {
    const { place } = testPool([fakeWorker('a'), fakeWorker('b')], options)
    const first = place({ sessionId: 's' })
    const other = first.workerId === 'a' ? 'b' : 'a'
    expect(place({ sessionId: 's', workerId: other }).workerId).toBe(other)
  })
})
