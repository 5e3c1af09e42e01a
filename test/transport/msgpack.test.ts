// The cursor reads what the library wrote: the library is the plain twin.
import { expect, test } from 'bun:test'
import { Cursor, decode, decodeWide, encode } from '../../src/transport/msgpack.ts'

const cursorOver = (value: unknown) => {
  const cursor = new Cursor()
  cursor.reset(encode(value))
  return cursor
}

const edges = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
const integers = [...edges, ...edges.slice(1).map((n) => -n)]

test.each([...integers, 0.5, -1.25, 1e300])('number %p', (value) => {
  expect(cursorOver(value).number()).toBe(value)
})

test.each(integers)('number %p in 64 bits', (value) => {
  expect(cursorOver(BigInt(value)).number()).toBe(value)
})

test.each([0, 1, 31, 32, 255, 256, 65_535, 65_536])('strings, bytes and arrays of length %p', (size) => {
  const text = 'x'.repeat(size)
  expect(cursorOver(text).string()).toBe(text)
  expect(cursorOver(new Uint8Array(size)).bin()).toBe(size)
  expect(cursorOver(new Array(size).fill(1)).array()).toBe(size)
})

const nested = [
  null,
  true,
  { a: [1, -2, 3.5], ünï: { deep: [[], {}, null] } },
  'text',
  new Uint8Array([1, 2, 3]),
  new Array(20).fill('y'),
  2 ** 40,
  false,
  new Date(0),
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key${i}`, i])),
]

test('skip and value step over any value exactly', () => {
  const cursor = cursorOver(nested)
  expect(cursor.array()).toBe(nested.length)
  for (const item of nested) {
    const start = cursor.at
    cursor.skip()
    const end = cursor.at
    cursor.at = start
    expect(cursor.value()).toEqual(item)
    expect(cursor.at).toBe(end)
  }
  expect(cursor.at).toBe(cursor.bytes.length)
})

test('a message cut anywhere throws and never reads outside', () => {
  const whole = encode(nested)
  for (let size = 0; size < whole.length; size++) {
    const cursor = new Cursor()
    cursor.reset(whole.slice(0, size))
    expect(() => cursor.skip()).toThrow('cut short')
  }
})

test('a value of another kind is refused by name', () => {
  expect(() => cursorOver('x').number()).toThrow('wanted a number')
  expect(() => cursorOver(1).array()).toThrow('wanted an array')
  expect(() => cursorOver(1).map()).toThrow('wanted a map')
  expect(() => cursorOver(1).bin()).toThrow('wanted bytes')
  expect(() => cursorOver(1).string()).toThrow('wanted a string')
  expect(cursorOver(1).nil()).toBe(false)
})

test('64-bit integers: numbers, or bigint where every bit counts', () => {
  const hash = -1234567890123456789n
  expect(decodeWide(encode([hash, 5]))).toEqual([hash, 5])
  expect(decode(encode([2n ** 53n - 1n]))).toEqual([2 ** 53 - 1])
  expect(decode(encode({ kept: 1, gone: undefined }))).toEqual({ kept: 1 })
})
