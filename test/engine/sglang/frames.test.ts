// The unix socket's framing and packing.
import { expect, test } from 'bun:test'
import { abortFrame, embedFrame, FrameReader, generateFrame, helloAckFrame } from '../../../src/engine/sglang/frames.ts'
import { decode } from '../../../src/transport/msgpack.ts'
import { requestOf } from '../../helpers/run-request.ts'

const message = (frame: Uint8Array) => decode(frame.subarray(4))

test('messages come out whole however the bytes are cut', () => {
  const frames = [abortFrame(['a']), abortFrame(['x'.repeat(70_000)]), abortFrame([]), abortFrame(['b', 'c'])]
  const stream = Buffer.concat(frames)
  for (const size of [1, 2, 3, 5, 7, 1000, 65_536, stream.length]) {
    const seen: unknown[] = []
    const reader = new FrameReader((bytes) => seen.push(decode(bytes)))
    for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size))
    expect(seen).toEqual(frames.map(message))
  }
})

test('a length that cannot be is refused', () => {
  expect(() => new FrameReader(() => {}).push(new Uint8Array([255, 255, 255, 255]))).toThrow(RangeError)
})

test('GEN carries ids as bytes, sampling as it is, and only the options that were given', () => {
  const plain = message(generateFrame(7, 'rid', requestOf([1, 2 ** 31], { stop: ['a'] })))
  expect(plain).toEqual([
    10,
    7,
    'rid',
    new Uint8Array([1, 0, 0, 0, 0, 0, 0, 128]),
    { temperature: 0, max_new_tokens: 16, stop: ['a'] },
    { stream: true },
  ])
  const all = message(
    generateFrame(
      7,
      'rid',
      requestOf(
        [1],
        {},
        {
          stream: false,
          logprobs: { top: 2, promptStart: -1 },
          priority: 1,
          dpRank: 0,
          lora: 'l',
          cacheSalt: 's',
          extraKey: 'e',
          resumed: 3,
        },
      ),
    ),
  ) as unknown[]
  expect(all[5]).toEqual({ stream: false, lp: [-1, 2, null], dp: 0, priority: 1, salt: 's', extra_key: 'e', lora: 'l', resume: 3 })
  const bootstrap = { host: '10.0.0.1', port: 20123, room: 2 ** 53 - 1, prefillDpRank: 1 }
  const leg = message(generateFrame(7, 'rid', requestOf([1], {}, { bootstrap }))) as unknown[]
  expect(leg[5]).toEqual({ stream: true, boot: ['10.0.0.1', 20123, 2 ** 53 - 1, 1] })
  const text = message(generateFrame(7, 'rid', requestOf([], {}, { promptText: 'hi' }))) as unknown[]
  expect(text[3]).toBeNull()
  expect(text[5]).toEqual({ stream: true, text: 'hi' })
})

test('ids of a view into a larger array are packed alone', () => {
  const ids = new Uint32Array([9, 1, 2, 9]).subarray(1, 3)
  const packed = message(embedFrame(1, 'r', { requestId: 'e', promptIds: ids })) as unknown[]
  expect(packed[3]).toEqual(new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0]))
})

test('HELLO_ACK says nil for what is not wished', () => {
  expect(message(helloAckFrame(undefined, undefined, 'abcdef'))).toEqual([1, { level: null, tok: null, epoch: 'abcdef' }])
})
