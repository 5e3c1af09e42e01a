import { expect, test } from 'bun:test'
import { localRouter } from '../../src/router/local.ts'
import { scriptedEngine } from '../helpers/scripted-engine.ts'

const worker = (id: string) => ({ id, engine: scriptedEngine() })
const placement = { requestId: 'r', promptIds: Uint32Array.of(1) }
const signal = new AbortController().signal

test('load is booked before the place is given, and given back once', () => {
  const router = localRouter([worker('a'), worker('b')])
  const place = () => {
    const lease = router.place(placement, signal)
    if (lease instanceof Promise) throw new Error('placed at once')
    return lease
  }
  const first = place()
  expect([first.workerId, place().workerId]).toEqual(['a', 'b'])
  first.release()
  first.release()
  expect([place().workerId, place().workerId, place().workerId]).toEqual(['a', 'a', 'b'])
})

test('a worker that is not ready gets nothing; without any it is 503', () => {
  const down = worker('down')
  down.engine.ready = false
  expect(localRouter([down, worker('up')]).place(placement, signal)).toMatchObject({ workerId: 'up' })
  expect(() => localRouter([down]).place(placement, signal)).toThrow(
    expect.objectContaining({ code: 'engine_unavailable', retryAfterSecs: 5 }),
  )
})

test('a worker or rank that does not exist is named', () => {
  const router = localRouter([worker('a')])
  expect(() => router.place({ ...placement, workerId: 'z' }, signal)).toThrow(/No worker z; known: a/)
  expect(() => router.place({ ...placement, dpRank: 1 }, signal)).toThrow(/no data-parallel rank 1; ranks are 0 to 0/)
})
