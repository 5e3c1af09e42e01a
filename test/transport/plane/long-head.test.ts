// Heads in parts: what is sent, what is put together, and what no caller of ours sends.
import { expect, test } from 'bun:test'
import { FrameError, frames } from '../../../src/transport/plane/frame.ts'
import { HeadReader, LongHead, maxHeadBytes, partBytes } from '../../../src/transport/plane/long-head.ts'

function sent(head: Uint8Array, inParts = true): { kind: number; payload: Uint8Array }[] {
  const all: { kind: number; payload: Uint8Array }[] = []
  const long = new LongHead(head)
  while (!long.next((kind, payload) => all.push({ kind, payload: payload.slice() }), inParts));
  return all
}

const bytesOf = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 7) & 255)

test('a head of any length is put together from its parts; other streams open between them', () => {
  for (const size of [0, 1, partBytes, partBytes + 1, 3 * partBytes, 3 * partBytes + 5]) {
    const head = bytesOf(size)
    const pieces = sent(head)
    expect(pieces.length).toBe(Math.max(1, Math.ceil(size / partBytes)))
    const reader = new HeadReader()
    for (const { kind, payload } of pieces) {
      expect(reader.whole(9, bytesOf(3))).toEqual(bytesOf(3))
      if (kind === frames.part) reader.part(7, payload)
      else expect(Buffer.compare(reader.whole(7, payload), head)).toBe(0)
    }
  }
})

test('a side that takes no parts gets the head as it is', () => {
  const head = bytesOf(2 * partBytes)
  expect(sent(head, false)).toEqual([{ kind: frames.open, payload: head }])
})

test('a head that was begun and cancelled leaves room for the next', () => {
  const reader = new HeadReader()
  reader.part(1, sent(bytesOf(2 * partBytes))[0]!.payload)
  reader.cancel(3)
  expect(() => reader.part(2, sent(bytesOf(2 * partBytes))[0]!.payload)).toThrow(FrameError)
  reader.cancel(1)
  const [part, open] = sent(bytesOf(partBytes + 2))
  reader.part(2, part!.payload)
  expect(reader.whole(2, open!.payload).length).toBe(partBytes + 2)
})

test('parts that cannot be are refused before memory is taken', () => {
  const part = (total: number, size: number) => {
    const payload = new Uint8Array(4 + size)
    new DataView(payload.buffer).setUint32(0, total, true)
    return payload
  }
  for (const wrong of [new Uint8Array(0), new Uint8Array(4), part(maxHeadBytes + 1, 1), part(4, 5), part(4, 4)])
    expect(() => new HeadReader().part(1, wrong)).toThrow(FrameError)
  const reader = new HeadReader()
  reader.part(1, part(10, 4))
  expect(() => reader.whole(1, new Uint8Array(5))).toThrow(FrameError)
})
