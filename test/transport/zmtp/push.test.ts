// PUSH with back-pressure: a sender waits for its receiver, not our memory.
import { afterEach, expect, test } from 'bun:test'
import { type PushSocket, pushSocket } from '../../../src/transport/zmtp/push.ts'
import { bindSocket } from '../../../src/transport/zmtp/sockets.ts'

const never = new AbortController().signal
const cleanup: (() => unknown)[] = []
afterEach(() => {
  for (const step of cleanup.splice(0).reverse()) step()
})

function receiver() {
  const got: Uint8Array[][] = []
  const socket = bindSocket({
    type: 'PULL',
    endpoint: 'tcp://127.0.0.1:0',
    onMessage: (parts) => got.push(parts.map((part) => part.slice())),
  })
  cleanup.push(() => socket.close())
  return { got, socket, port: Number(socket.endpoint.split(':').at(-1)) }
}

function push(port: number, onClosed?: () => void): PushSocket {
  const socket = pushSocket('127.0.0.1', port, onClosed)
  cleanup.push(() => socket.close())
  return socket
}

test('messages of many sizes arrive whole and in order, also when sent at once', async () => {
  const { got, port } = receiver()
  const socket = push(port)
  const sizes = [0, 1, 255, 256, 70_000, 5_000_000, 3]
  await Promise.all(sizes.map((size, i) => socket.send([Uint8Array.of(i), new Uint8Array(size).fill(i)], never)))
  while (got.length < sizes.length) await Bun.sleep(1)
  expect(got.map(([head, body]) => [head![0], body!.length])).toEqual(sizes.map((size, i) => [i, size]))
  for (const [i, [, body]] of got.entries()) expect(body!.every((byte) => byte === i)).toBe(true)
})

test('a receiver that does not read holds up the sender; at its signal the connection ends', async () => {
  // It greets as a PULL socket does, and then leaves everything unread.
  const { greeting, ready } = await wireOfPull()
  let paused = 0
  const deaf = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => void socket.write(greeting),
      data(socket) {
        if (paused++ === 0) {
          socket.write(ready)
          socket.pause()
        }
      },
    },
  })
  cleanup.push(() => deaf.stop(true))
  let closed = 0
  const socket = push(deaf.port, () => closed++)
  const leaving = new AbortController()
  const large = new Uint8Array(64 * 1024 * 1024)
  const first = socket.send([large], leaving.signal)
  const second = socket.send([large], never)
  expect(await Promise.race([first, Bun.sleep(100).then(() => 'waits')])).toBe('waits')
  leaving.abort()
  const ends = await Promise.allSettled([first, second])
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect([socket.closed, closed]).toEqual([true, 1])
})

test('nobody there, and a receiver that goes, fail the message', async () => {
  const { port, socket: bound } = receiver()
  const socket = push(port)
  await socket.send([Uint8Array.of(1)], never)
  bound.close()
  while (!socket.closed) await Bun.sleep(1)
  await expect(socket.send([Uint8Array.of(2)], never)).rejects.toThrow('is gone')
  await expect(push(port).send([Uint8Array.of(3)], never)).rejects.toThrow('nothing listens there')
})

test('a sender that leaves before its turn takes nobody along', async () => {
  const { got, port } = receiver()
  const socket = push(port)
  const leaving = new AbortController()
  const sends = [
    socket.send([Uint8Array.of(1)], never),
    socket.send([Uint8Array.of(2)], leaving.signal),
    socket.send([Uint8Array.of(3)], never),
  ]
  leaving.abort()
  const ends = await Promise.allSettled(sends)
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  while (got.length < 2) await Bun.sleep(1)
  expect(got.map(([part]) => part![0])).toEqual([1, 3])
})

async function wireOfPull(): Promise<{ greeting: Uint8Array; ready: Uint8Array }> {
  const { encodeGreeting, encodeReady } = await import('../../../src/transport/zmtp/greeting.ts')
  return { greeting: encodeGreeting(), ready: encodeReady('PULL', new Uint8Array(0)) }
}
