import { describe, expect, test } from 'bun:test'
import { FrameError, FrameParser, frames, headBytes, maxFrameBytes } from '../../../src/transport/plane/frame.ts'
import { OutBuffer } from '../../../src/transport/plane/out-buffer.ts'

type Frame = [kind: number, stream: number, payload: Uint8Array]

const payload = (size: number, seed = 1) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + seed) & 255)
const some: Frame[] = [
  [frames.open, 1, payload(40)],
  [frames.message, 0xffffffff, payload(0)],
  [frames.message, 77, payload(128, 3)],
  [frames.message, 78, payload(129, 4)],
  [frames.end, 2, payload(1)],
]

/** The frames as OutBuffer writes them. */
function bytesOf(list: readonly Frame[]): Uint8Array {
  const out = new OutBuffer()
  for (const [kind, stream, body] of list) out.frame(kind, stream, body)
  const parts: Uint8Array[] = []
  out.flush((bytes) => {
    parts.push(bytes.slice())
    return bytes.length
  })
  return Buffer.concat(parts)
}

function collector(maxBytes = maxFrameBytes) {
  const got: Frame[] = []
  const parser = new FrameParser({ frame: (kind, stream, body) => void got.push([kind, stream, body.slice()]) })
  parser.maxBytes = maxBytes
  return { got, parser }
}

describe('frames', () => {
  const bytes = new Uint8Array(bytesOf(some))

  test('cost nine bytes each', () => {
    expect(bytes.length).toBe(some.reduce((sum, [, , body]) => sum + headBytes + body.length, 0))
  })

  test('come out the same wherever the bytes are cut, once or twice', () => {
    for (let first = 0; first <= bytes.length; first++)
      for (let second = first; second <= bytes.length; second += first % 3 === 0 ? 1 : 13) {
        const { got, parser } = collector()
        parser.push(bytes.subarray(0, first))
        parser.push(bytes.subarray(first, second))
        parser.push(bytes.subarray(second))
        expect(got).toEqual(some)
      }
  })

  test('come out the same byte by byte', () => {
    const { got, parser } = collector()
    for (const byte of bytes) parser.push(Uint8Array.of(byte))
    expect(got).toEqual(some)
  })

  test('a long one grows with its bytes, not with its promise', () => {
    const long: Frame[] = [[frames.message, 5, payload(300_000)]]
    const whole = new Uint8Array(bytesOf(long))
    const { got, parser } = collector()
    for (let at = 0; at < whole.length; at += 1000) parser.push(whole.subarray(at, at + 1000))
    expect(got).toEqual(long)
  })

  test('a length that is too short or too long is refused', () => {
    for (const head of [
      [0, 0, 0, 0],
      [4, 0, 0, 0],
      [255, 255, 255, 255],
      [71, 69, 84, 32],
    ])
      expect(() => collector(1024).parser.push(Uint8Array.from([...head, 0, 0, 0, 0, 0]))).toThrow(FrameError)
  })

  test('nothing is read after the owner said stop', () => {
    const got: number[] = []
    const parser: FrameParser = new FrameParser({
      frame(kind) {
        got.push(kind)
        parser.stopped = true
      },
    })
    parser.maxBytes = maxFrameBytes
    parser.push(bytes)
    expect(got).toEqual([frames.open])
  })

  test('random bytes end in FrameError or wait for more, never in anything else', () => {
    let state = 42
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state >>> 24
    }
    for (let round = 0; round < 2000; round++) {
      const { parser } = collector(4096)
      const noise = round % 2 === 0 ? new Uint8Array(64).map(random) : bytes.slice(0, 200).map((byte) => (random() < 8 ? random() : byte))
      try {
        parser.push(noise)
        parser.push(noise)
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError)
      }
    }
  })
})

describe('the out-buffer', () => {
  test('a writer that takes little gets every byte once, in order', () => {
    const out = new OutBuffer()
    const got: number[] = []
    const write = (most: number) => (bytes: Uint8Array) => {
      got.push(...bytes.subarray(0, most))
      return Math.min(most, bytes.length)
    }
    const expected: number[] = []
    for (let i = 0; i < 400; i++) {
      const frame: Frame = [frames.message, i, payload(i, i)]
      out.frame(...frame)
      expected.push(...bytesOf([frame]))
      if (i % 3 === 0) out.flush(write(i))
    }
    while (!out.flush(write(1000)));
    expect(got).toEqual(expected)
    expect(out.bytes).toBe(0)
  })

  test('a closed socket (-1) takes nothing', () => {
    const out = new OutBuffer()
    out.frame(frames.ping, 0, undefined)
    expect(out.flush(() => -1)).toBe(false)
    expect(out.bytes).toBe(headBytes)
  })
})
