// Memory of results that goes from one picture to the next.
import { expect, test } from 'bun:test'
import { giveBack, spareBytes, spareFloats, spareShared } from '../../kernels/spare.ts'

test('what is given back is used again, for something of about its size', () => {
  const first = spareBytes(1_000_000)
  giveBack(first)
  // Not for something much smaller.
  expect(spareBytes(100_000).buffer).not.toBe(first.buffer)
  const again = spareFloats(200_000)
  expect([again.buffer, again.length]).toEqual([first.buffer, 200_000])
  expect(spareBytes(1_000_000).buffer).not.toBe(first.buffer)
})

test('shared memory stays with shared memory', () => {
  const shared = new Uint8Array(spareShared(500_000))
  giveBack(shared)
  expect(spareBytes(500_000).buffer).toBeInstanceOf(ArrayBuffer)
  expect(spareShared(400_000)).toBe(shared.buffer as unknown as SharedArrayBuffer)
})

test('twice given back counts once; parts of something else, and small ones, are left alone', () => {
  const one = spareBytes(300_000)
  giveBack(one)
  giveBack(one)
  expect(spareBytes(300_000).buffer).toBe(one.buffer)
  expect(spareBytes(300_000).buffer).not.toBe(one.buffer)
  const part = new Uint8Array(new ArrayBuffer(400_000), 8)
  giveBack(part)
  expect(spareBytes(400_000).buffer).not.toBe(part.buffer)
  const small = spareBytes(10)
  giveBack(small)
  expect(spareBytes(10).buffer).not.toBe(small.buffer)
})
