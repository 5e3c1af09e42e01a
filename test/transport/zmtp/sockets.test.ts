// ZMTP sockets against each other and against libzmq (pyzmq).
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bindSocket, connectSocket, type ZmtpSocket } from '../../../src/transport/zmtp/sockets.ts'
import { need } from '../../helpers/need.ts'
import { sglangPython } from '../../helpers/sglang.ts'

const folder = mkdtempSync(join(tmpdir(), 'zmtp-'))
const open: ZmtpSocket[] = []
const keep = (socket: ZmtpSocket) => {
  open.push(socket)
  return socket
}
afterEach(() => {
  for (const socket of open.splice(0)) socket.close()
})
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const text = (value: string) => new TextEncoder().encode(value)
const read = (part: Uint8Array | undefined) => new TextDecoder().decode(part)

/** Collects messages; `count(n)` resolves once there are n. */
function inbox() {
  const messages: Uint8Array[][] = []
  let wake = () => {}
  return {
    messages,
    onMessage: (parts: Uint8Array[]) => {
      messages.push(parts)
      wake()
    },
    async count(n: number) {
      while (messages.length < n) await new Promise<void>((done) => (wake = done))
      return messages
    },
  }
}

async function until(condition: () => boolean) {
  while (!condition()) await Bun.sleep(2)
}

test('PUSH to PULL over ipc keeps order, also for frames of every size', async () => {
  const box = inbox()
  const pull = keep(bindSocket({ type: 'PULL', endpoint: `ipc://${folder}/a`, onMessage: box.onMessage }))
  expect(statSync(`${folder}/a`).mode & 0o777).toBe(0o600)
  const push = keep(connectSocket({ type: 'PUSH', endpoint: pull.endpoint }))
  await until(() => push.peers.length === 1)
  const sizes = [0, 1, 255, 256, 65_536, 3_000_000, 5]
  for (const size of sizes) push.send([new Uint8Array(size).fill(size & 255)])
  const got = await box.count(sizes.length)
  expect(got.map((parts) => parts[0]!.length)).toEqual(sizes)
  expect(got.every((parts, i) => parts[0]!.every((byte) => byte === (sizes[i]! & 255)))).toBe(true)
})

test('PUB sends a topic only to those who asked for it, and a SUB that reconnects asks again', async () => {
  const box = inbox()
  let pub = bindSocket({ type: 'PUB', endpoint: 'tcp://127.0.0.1:0' })
  const endpoint = pub.endpoint
  const down: string[] = []
  keep(connectSocket({ type: 'SUB', endpoint, topics: ['kv'], onMessage: box.onMessage, onDown: (reason) => down.push(reason) }))
  await until(() => pub.peers[0]?.topics.length === 1)
  pub.send([text('load'), text('no')])
  pub.send([text('kv-events'), text('one')])
  await box.count(1)
  pub.close()
  await until(() => down.length === 1)
  pub = keep(bindSocket({ type: 'PUB', endpoint }))
  await until(() => pub.peers[0]?.topics.length === 1)
  pub.send([text('kv-events'), text('two')])
  expect((await box.count(2)).map((parts) => read(parts[1]))).toEqual(['one', 'two'])
})

test('a connecting socket waits for a peer that is not there yet', async () => {
  const box = inbox()
  const push = keep(connectSocket({ type: 'PUSH', endpoint: `ipc://${folder}/late` }))
  expect(push.send([text('lost')])).toBe(false)
  keep(bindSocket({ type: 'PULL', endpoint: `ipc://${folder}/late`, onMessage: box.onMessage }))
  await until(() => push.peers.length === 1)
  push.send([text('here')])
  expect(read((await box.count(1))[0]![0])).toBe('here')
})

test('a wrong partner is told apart', async () => {
  const reasons: string[] = []
  const pull = keep(bindSocket({ type: 'PULL', endpoint: 'tcp://127.0.0.1:0', onDown: (reason) => reasons.push(reason) }))
  keep(connectSocket({ type: 'SUB', endpoint: pull.endpoint }))
  await until(() => reasons.length > 0)
  expect(reasons[0]).toContain('SUB')
})

test('an endpoint that is none is refused', () => {
  expect(() => connectSocket({ type: 'PULL', endpoint: 'http://x' })).toThrow('not an endpoint')
  expect(() => bindSocket({ type: 'PULL', endpoint: 'tcp://127.0.0.1' })).toThrow('no port')
})

const python = sglangPython()
const ran = async (script: string, ...args: string[]) => {
  const child = Bun.spawn([python!, '-c', script, ...args], { stdout: 'pipe', stderr: 'inherit' })
  const out = await new Response(child.stdout).text()
  expect(await child.exited).toBe(0)
  return out
}

test.skipIf(!need('a python with pyzmq (bun run sglang:setup)', python !== undefined))(
  'libzmq PUSH, PUB and ROUTER talk to us',
  async () => {
    const box = inbox()
    const pull = keep(bindSocket({ type: 'PULL', endpoint: `ipc://${folder}/py`, onMessage: box.onMessage }))
    await ran(
      `import sys,zmq
c=zmq.Context(); s=c.socket(zmq.PUSH); s.connect(sys.argv[1])
for i in range(2000): s.send_multipart([str(i).encode(), bytes([i%251])*(i*37%70000)])
s.close(); c.term()`,
      pull.endpoint,
    )
    const got = await box.count(2000)
    expect(got.every((parts, i) => read(parts[0]) === String(i) && parts[1]!.length === (i * 37) % 70_000)).toBe(true)
    expect(got.every((parts, i) => parts[1]!.every((byte) => byte === i % 251))).toBe(true)

    const published = inbox()
    const answered = inbox()
    const port = 21_000 + Math.floor(Math.random() * 9000)
    keep(connectSocket({ type: 'SUB', endpoint: `tcp://127.0.0.1:${port}`, topics: ['a'], onMessage: published.onMessage }))
    const dealer = keep(
      connectSocket({
        type: 'DEALER',
        endpoint: `tcp://127.0.0.1:${port + 1}`,
        onMessage: answered.onMessage,
        onReady: () => dealer.send([text(''), text('ping')]),
      }),
    )
    const serving = ran(
      `import sys,time,zmq
c=zmq.Context(); p=c.socket(zmq.XPUB); p.bind('tcp://127.0.0.1:'+sys.argv[1]); r=c.socket(zmq.ROUTER); r.bind('tcp://127.0.0.1:'+str(int(sys.argv[1])+1))
assert p.recv()==b'\\x01a'
who,empty,ask=r.recv_multipart(); r.send_multipart([who,b'',ask+b' pong'])
for t in (b'b',b'abc'): p.send_multipart([t,b'body'])
time.sleep(0.3); p.close(); r.close(); c.term()`,
      String(port),
    )
    expect((await answered.count(1))[0]!.map(read)).toEqual(['', 'ping pong'])
    expect((await published.count(1))[0]!.map(read)).toEqual(['abc', 'body'])
    await serving
  },
)
