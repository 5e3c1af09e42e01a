import { expect, test } from 'bun:test'
import { roomOf } from '../../../src/media/input/room.ts'

const never = new AbortController().signal

test('when the room is full the largest file gives way, whoever came last', () => {
  const enter = roomOf(100)
  const [small, hog, late] = ['a', 'b', 'c'].map((param) => enter(param, never))
  small!.take(20)
  hog!.take(60)
  late!.take(19)
  expect(hog!.signal.aborted).toBe(false)
  late!.take(19)
  expect([small, hog, late].map((one) => one!.signal.aborted)).toEqual([false, true, false])
  expect(hog!.refusal()).toMatchObject({ code: 'overloaded', param: 'b' })
  expect(hog!.signal.reason).toBe(hog!.refusal())
  // It counts no more, whatever it still says.
  hog!.take(1000)
  hog!.leave()
  late!.take(40)
  expect(small!.signal.aborted || late!.signal.aborted).toBe(false)
})

test('who leaves makes room, once', () => {
  const enter = roomOf(100)
  const first = enter('a', never)
  first.take(90)
  first.leave()
  first.leave()
  const second = enter('b', never)
  second.take(100)
  expect(second.signal.aborted).toBe(false)
  second.take(1)
  expect(second.refusal()).toBeDefined()
})

test("the caller's signal is heard", () => {
  const client = new AbortController()
  const place = roomOf(100)('a', client.signal)
  client.abort()
  expect(place.signal.aborted).toBe(true)
  expect(place.refusal()).toBeUndefined()
})
