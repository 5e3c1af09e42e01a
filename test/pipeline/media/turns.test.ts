import { expect, test } from 'bun:test'
import { turns } from '../../../src/pipeline/media/turns.ts'

const never = new AbortController().signal
const queue = (more: Partial<Parameters<typeof turns>[0]> = {}) => turns({ slots: 1, open: true, limit: 2, waitMs: 10_000, ...more })
const code = (promise: Promise<void>) =>
  promise.then(
    () => 'granted',
    (error) => error.code,
  )

test('a turn is granted when the one before it is made, and its place is told', async () => {
  const line = queue()
  const places: number[] = []
  const first = line.take('a', never, () => {})
  await first.granted
  const second = line.take('b', never, (ahead) => places.push(ahead))
  const third = line.take('c', never, (ahead) => places.push(ahead))
  expect(places).toEqual([0, 1])
  first.made(100)
  await second.granted
  expect(places).toEqual([0, 1, 0])
  second.leave()
  await third.granted
})

test('a full queue is overloaded, with the time until there may be room', async () => {
  const line = queue({ limit: 1 })
  const first = line.take('a', never, () => {})
  await first.granted
  first.made(4000)
  const second = line.take('b', never, () => {})
  await second.granted
  const waiting = line.take('c', never, () => {})
  const error = await line.take('d', never, () => {}).granted.catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'overloaded', status: 529, retryAfterSecs: 8 })
  expect(line.pending()).toBe(3)
  second.leave()
  await waiting.granted
})

test('cancelled while queued: rejected at once, and the place is free', async () => {
  const line = queue({ limit: 1 })
  const first = line.take('a', never, () => {})
  await first.granted
  const abort = new AbortController()
  const second = line.take('b', abort.signal, () => {})
  abort.abort()
  expect(line.pending()).toBe(1)
  expect(await code(second.granted)).toBe('client_closed_request')
  const third = line.take('c', never, () => {})
  first.leave()
  expect(await code(third.granted)).toBe('granted')
  expect(await code(line.take('d', AbortSignal.abort(), () => {}).granted)).toBe('client_closed_request')
})

test('waiting too long says what for', async () => {
  const busy = queue({ waitMs: 20 })
  await busy.take('a', never, () => {}).granted
  expect(await code(busy.take('b', never, () => {}).granted)).toBe('overloaded')
  const down = queue({ waitMs: 20, open: false })
  expect(await code(down.take('a', never, () => {}).granted)).toBe('engine_unavailable')
  expect(down.pending()).toBe(0)
})

test('a job that found no engine is first again when it is back', async () => {
  const line = queue()
  const first = line.take('a', never, () => {})
  await first.granted
  const second = line.take('b', never, () => {})
  const again = first.again()
  line.engine(true, 1)
  await again.granted
  again.leave()
  await second.granted
})

test('after close those who wait and those who come are told that the server stops', async () => {
  const line = queue()
  const first = line.take('a', never, () => {})
  await first.granted
  const second = line.take('b', never, () => {})
  line.close()
  expect(await code(second.granted)).toBe('shutting_down')
  expect(await code(line.take('c', never, () => {}).granted)).toBe('shutting_down')
  first.leave()
  expect(line.pending()).toBe(0)
})
