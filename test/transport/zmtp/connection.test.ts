// A connection over a socket that takes as little as it likes: 0 bytes, a few, or none because it is closing.
import { expect, test } from 'bun:test'
import { Connection } from '../../../src/transport/zmtp/connection.ts'
import { encodeGreeting, encodeReady } from '../../../src/transport/zmtp/greeting.ts'
import { ZmtpParser } from '../../../src/transport/zmtp/parser.ts'

test.each([[[1]], [[0, 1]], [[-1, 3]], [[7, 0, -1, 100_000]]])(
  'every message leaves once and in order when writes take %j bytes',
  async (takes) => {
    const sent: number[] = []
    let turn = 0
    const socket = {
      write(bytes: Uint8Array) {
        const taken = Math.min(takes[turn++ % takes.length]!, bytes.length)
        for (const byte of bytes.subarray(0, Math.max(taken, 0))) sent.push(byte)
        return taken
      },
      end() {},
    }
    const connection = new Connection(socket, 'PUSH', new Uint8Array(0), { ready() {}, message() {}, failed() {} })
    connection.received(encodeGreeting())
    connection.received(encodeReady('PULL', new Uint8Array(0)))
    const sizes = [0, 1, 255, 256, 5000, 3]
    for (const [n, size] of sizes.entries()) {
      connection.send([new Uint8Array(size).fill(n)])
      await Promise.resolve()
      connection.drained()
    }
    while (connection.queuedBytes > 0) connection.drained()
    const frames: Uint8Array[] = []
    const parser = new ZmtpParser({ greeted() {}, command() {}, frame: (body) => void frames.push(body.slice()) })
    parser.push(Uint8Array.from(sent))
    expect(frames.map((body) => body.length)).toEqual(sizes)
    expect(frames.every((body, n) => body.every((byte) => byte === n))).toBe(true)
  },
)
