import { describe, expect, test } from 'bun:test'
import { NatsLink } from '../../../src/transport/nats/link.ts'

const maxPayload = 64 * 1024

/** Two links; `lose` says which messages of the first never come. */
function two(lose: (index: number) => boolean = () => false) {
  const got = { bytes: 0, parts: [] as Uint8Array[], drained: 0, broken: [] as string[] }
  const sizes: number[] = []
  let index = 0
  const queue: (() => void)[] = []
  const a: NatsLink = new NatsLink(
    (payload) => {
      sizes.push(payload.length)
      if (!lose(index++)) queue.push(() => b.take(payload))
    },
    maxPayload,
    { data() {}, drained: () => void got.drained++, broken: (reason) => void got.broken.push(`a: ${reason}`) },
  )
  const b: NatsLink = new NatsLink((payload) => queue.push(() => a.take(payload)), maxPayload, {
    data(bytes) {
      got.bytes += bytes.length
      got.parts.push(bytes.slice())
    },
    drained() {},
    broken: (reason) => void got.broken.push(`b: ${reason}`),
  })
  const deliver = () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) next()
  }
  return { a, b, got, sizes, deliver }
}

describe('a link over NATS messages', () => {
  test('cuts what is longer than a message, and it arrives whole', () => {
    const { a, got, sizes, deliver } = two()
    const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i & 255)
    expect(a.write(bytes)).toBe(200_000)
    deliver()
    expect(Math.max(...sizes)).toBeLessThanOrEqual(maxPayload)
    expect(Buffer.compare(Buffer.concat(got.parts), bytes)).toBe(0)
  })

  test('takes no more than the peer can confirm, and goes on when it has', () => {
    const { a, got, deliver } = two()
    const bytes = new Uint8Array(10_000_000)
    let sent = a.write(bytes)
    expect(sent).toBeLessThan(5_000_000)
    expect(a.write(bytes.subarray(sent))).toBe(0)
    while (sent < bytes.length) {
      const drained = got.drained
      deliver()
      expect(got.drained).toBeGreaterThan(drained)
      sent += a.write(bytes.subarray(sent))
    }
    deliver()
    expect(got.bytes).toBe(10_000_000)
  })

  test('a lost message ends it on both sides', () => {
    const { a, got, deliver } = two((index) => index === 3)
    for (let i = 0; i < 6; i++) a.write(new Uint8Array(10))
    deliver()
    expect(got.broken).toEqual(['b: messages were lost on the way', 'a: the other side has left'])
    expect(got.parts.length).toBe(3)
    expect(a.write(new Uint8Array(1))).toBe(0)
  })

  test('bytes that are no message of a link end it', () => {
    const { b, got } = two()
    b.take(Uint8Array.of(1, 2, 3))
    expect(got.broken.length).toBe(1)
  })

  test('a connection that refuses to publish ends it', () => {
    const broken: string[] = []
    const link = new NatsLink(
      () => {
        throw new Error('closed connection')
      },
      maxPayload,
      { data() {}, drained() {}, broken: (reason) => void broken.push(reason) },
    )
    link.write(new Uint8Array(5))
    expect(broken).toEqual(['closed connection'])
  })
})
