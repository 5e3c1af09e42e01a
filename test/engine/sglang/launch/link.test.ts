// Channel A with a peer that reads late and writes in crumbs.
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameReader } from '../../../../src/engine/sglang/frames.ts'
import { openLink } from '../../../../src/engine/sglang/launch/link.ts'
import { decode, encode } from '../../../../src/transport/msgpack.ts'

const folder = mkdtempSync(join(tmpdir(), 'link-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function framed(message: unknown): Buffer {
  const body = encode(message)
  const frame = Buffer.alloc(4 + body.length)
  frame.writeUInt32LE(body.length)
  frame.set(body, 4)
  return frame
}

test('what a slow reader cannot take waits and arrives whole and in order, while its own crumbs are read', async () => {
  let greeted = () => {}
  const hello = new Promise<void>((done) => (greeted = done))
  const heard: unknown[] = []
  const link = openLink(join(folder, 'a'), 'secret', {
    hello: () => greeted(),
    message: (_type, bytes) => heard.push(decode(bytes)),
    closed() {},
  })
  const peer = connect(join(folder, 'a'))
  peer.pause()
  for (const byte of framed([1, { secret: 'secret' }])) peer.write(Uint8Array.of(byte))
  await hello
  const count = 400
  for (let n = 0; n < count; n++) {
    link.send(framed([10, n, new Uint8Array((n % 7) * 30_000).fill(n)]))
    if (n % 50 === 0) await Bun.sleep(1)
  }
  for (const byte of framed([120, 7, 'crumbs'])) peer.write(Uint8Array.of(byte))
  while (heard.length === 0) await Bun.sleep(1)
  expect(heard).toEqual([[120, 7, 'crumbs']])
  const got: unknown[][] = []
  const all = new Promise<void>((done) => {
    const reader = new FrameReader((bytes) => {
      const [, n, body] = decode(bytes) as [number, number, Uint8Array]
      got.push([n, body.length, body.every((byte) => byte === (n & 255))])
      if (n === count - 1) done()
    })
    peer.on('data', (chunk: Buffer) => reader.push(chunk))
  })
  peer.resume()
  await all
  expect(got).toEqual(Array.from({ length: count }, (_, n) => [n, (n % 7) * 30_000, true]))
  peer.destroy()
  link.close()
})
