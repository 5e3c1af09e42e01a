// The ZMTP parser alone: no socket, every way of cutting the bytes.
import { expect, test } from 'bun:test'
import { encodeCommand, encodeGreeting, encodeReady, readReady } from '../../../src/transport/zmtp/greeting.ts'
import { ZmtpParser } from '../../../src/transport/zmtp/parser.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const text = (value: string) => new TextEncoder().encode(value)

/** A short or long message frame. */
function frame(body: Uint8Array, more = false, long = body.length > 255): Uint8Array {
  const head = long ? new Uint8Array(9) : new Uint8Array(2)
  head[0] = (more ? 1 : 0) | (long ? 2 : 0)
  if (long) new DataView(head.buffer).setBigUint64(1, BigInt(body.length))
  else head[1] = body.length
  return Buffer.concat([head, body])
}

/** Pushes `stream` in chunks of `size` bytes and tells what came out. */
function parse(stream: Uint8Array, size: number, maxFrameBytes?: number): string[] {
  const seen: string[] = []
  const parser = new ZmtpParser(
    {
      greeted: () => seen.push('greeted'),
      command: (name, body) => seen.push(`command ${name} ${Buffer.from(body).toString('hex')}`),
      frame: (body, more) => seen.push(`frame ${Bun.hash(body)} ${body.length}${more ? ' more' : ''}`),
    },
    maxFrameBytes,
  )
  for (let at = 0; at < stream.length; at += size) parser.push(stream.subarray(at, at + size))
  return seen
}

const big = new Uint8Array(70_000).map((_, i) => i * 7)
const stream = Buffer.concat([
  encodeGreeting(),
  encodeReady('PUSH', bytes()),
  frame(text('topic'), true),
  frame(bytes(), true),
  frame(text('hello')),
  encodeCommand('PING', bytes(0, 9, 1, 2)),
  frame(big, true),
  frame(text('short body in a long frame'), false, true),
  frame(bytes(), false, true),
  frame(bytes(5)),
])

test('the same events come out however the bytes are cut', () => {
  const whole = parse(stream, stream.length)
  expect(whole.length).toBe(10)
  expect(whole[0]).toBe('greeted')
  expect(whole[2]).toBe(`frame ${Bun.hash(text('topic'))} 5 more`)
  expect(whole[5]).toBe('command PING 00090102')
  expect(whole[6]).toBe(`frame ${Bun.hash(big)} 70000 more`)
  for (const size of [1, 2, 3, 7, 63, 64, 65, 255, 256, 4096, 65_535]) expect(parse(stream, size)).toEqual(whole)
})

test('a large frame is received into one buffer of its size', () => {
  let body: Uint8Array | undefined
  const parser = new ZmtpParser({
    greeted() {},
    command() {},
    frame(given) {
      body = given
    },
  })
  parser.push(encodeGreeting())
  const whole = frame(big)
  for (let at = 0; at < whole.length; at += 1000) parser.push(whole.subarray(at, at + 1000))
  expect(body!.buffer.byteLength).toBe(big.length)
})

test.each([
  [
    'HTTP in place of a greeting',
    text('GET / HTTP/1.1\r\nHost: example.test\r\nAccept: */*\r\nUser-Agent: curl\r\n\r\n'),
    'does not speak ZMTP',
  ],
  ['ZMTP 2', encodeGreeting().with(10, 1), 'ZMTP 1'],
  ['another mechanism', Buffer.concat([encodeGreeting().subarray(0, 12), text('CURVE'), new Uint8Array(47)]), 'CURVE'],
  ['unknown flags', Buffer.concat([encodeGreeting(), bytes(0x88, 0)]), 'flags'],
  ['a frame over the limit', Buffer.concat([encodeGreeting(), bytes(2, 0, 0, 0, 0, 0x7f, 0, 0, 0)]), 'limit'],
  ['a nameless command', Buffer.concat([encodeGreeting(), bytes(4, 0)]), 'name'],
])('%s is refused', (_name, input, message) => {
  expect(() => parse(input, 1)).toThrow(message)
})

test('READY carries type and identity, and a wrong partner is refused', () => {
  const ready = encodeReady('DEALER', text('me')).subarray(2 + 1 + 'READY'.length)
  expect(readReady(ready, 'ROUTER')).toEqual(text('me'))
  expect(() => readReady(ready, 'PULL')).toThrow('DEALER')
  expect(() => readReady(ready.subarray(0, 9), 'ROUTER')).toThrow('cut short')
})
