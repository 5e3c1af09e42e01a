// What another version of us, or none of us, may say on the request plane: refused by name, and nothing else is lost.
import { afterEach, expect, test } from 'bun:test'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { remoteEncoder } from '../../../../src/engine/vision/remote/encoder.ts'
import { hostEncoder } from '../../../../src/engine/vision/remote/host.ts'
import { encodeHead, messages, operations } from '../../../../src/engine/vision/remote/protocol.ts'
import { encode } from '../../../../src/transport/msgpack.ts'
import { tcpClient } from '../../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../../src/transport/tcp/server.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { until } from '../../../helpers/run-request.ts'

const never = new AbortController().signal
const item = madeUpPicture('a')
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

async function mock() {
  const encoder = mockEncoder({ modelPath: 'm', dim: 16 })
  await encoder.start()
  cleanup.push(() => encoder.stop())
  return encoder
}

const wrongItems: [string, object | null][] = [
  ['no item', null],
  ['no grid', { ...item, grid: undefined }],
  ['a grid of two', { ...item, grid: [1, 2] }],
  ['a negative grid', { ...item, grid: [1, -2, 2] }],
  ['a grid that is no number', { ...item, grid: [1, Number.NaN, 2] }],
  ['no file', { ...item, file: 'x' }],
  ['frames that are no files', { ...item, frames: [1] }],
  ['no hash', { ...item, hash: 7 }],
  ['no tokens', { ...item, tokens: 0 }],
]
for (const [name, wrong] of wrongItems)
  test(`a worker is asked about ${name}: refused, and the next question is answered`, async () => {
    const encoder = await mock()
    const server = tcpServer(hostEncoder(encoder).service)
    const client = tcpClient(server.address)
    cleanup.push(() => server.close())
    const far = remoteEncoder(client)
    cleanup.push(() => far.stop())
    await far.start()
    const head = encodeHead(operations.encode, { job: 'j', caller: 'c', item: wrong as never })
    const code = await new Promise((told) =>
      client.open(head, { message: () => told('rows'), end: () => told('end'), fail: (error) => told(error.code) }),
    )
    expect(code).toBe('engine_rejected')
    expect((await far.encode(item, never)).rows).toBe(item.tokens)
    expect(encoder.patchesInFlight()).toBe(0)
  })

/** A worker that answers questions with `rows`, and says of itself what `state` says. */
async function answering(rows: (good: Record<string, unknown>) => unknown, state: (good: object) => unknown = (good) => good) {
  const { info } = await mock()
  const bytes = new Uint8Array(item.tokens * 16 * 4)
  const good = { rows: item.tokens, dim: 16, type: 'float32', grid: item.grid, itemHash: 'ff', size: bytes.length, bytes, ms: 1 }
  const say = (kind: number, value: unknown) => Buffer.concat([Uint8Array.of(kind), value instanceof Uint8Array ? value : encode(value)])
  let watches = 0
  const server = tcpServer((head, stream) => {
    if (head[0] === operations.watch)
      stream.send(
        say(
          messages.state,
          watches++ === 0 ? state({ ready: true, reason: '', others: 0, info }) : { ready: true, reason: '', others: 0, info },
        ),
      )
    else if (head[0] === operations.encode) stream.send(say(messages.rows, rows(good)))
    else stream.end()
  })
  cleanup.push(() => server.close())
  const far = remoteEncoder(tcpClient(server.address))
  cleanup.push(() => far.stop())
  return { far, watches: () => watches }
}

const wrongRows: [string, (good: Record<string, unknown>) => unknown][] = [
  ['no message', () => new Uint8Array([0xc1, 1, 2])],
  ['bytes after the message', (good) => Buffer.concat([encode(good), Uint8Array.of(1)])],
  ['a name that is no number', (good) => ({ ...good, itemHash: 'not hex' })],
  ['fewer bytes than rows', (good) => ({ ...good, bytes: new Uint8Array(8) })],
  ['another size than that of its rows', (good) => ({ ...good, size: 2 ** 40, bytes: undefined })],
  ['more rows than the prompt has room for', ({ bytes: _, ...good }) => ({ ...good, rows: 2 ** 24, size: 2 ** 24 * 64 })],
  ['an unknown type', (good) => ({ ...good, type: 'int3' })],
]
for (const [name, rows] of wrongRows)
  test(`a worker answers with ${name}: told as another version's, and nothing is waited for`, async () => {
    const { far } = await answering(rows)
    await far.start()
    await expect(far.encode(item, never)).rejects.toMatchObject({
      code: 'engine_failed',
      message: expect.stringContaining('another version'),
    })
    expect(far.patchesInFlight()).toBe(0)
  })

test.each<[string, unknown]>([
  ['that cannot be read', new Uint8Array([0xc1])],
  ['without numbers', { ready: true, reason: '', others: 'many' }],
  ['of an encoder without a width', { ready: true, reason: '', others: 0, info: { domain: 'd', type: 'float32' } }],
])('a worker tells a state %s: it is asked again', async (_, state) => {
  const { far, watches } = await answering(
    (good) => good,
    () => state,
  )
  await far.start()
  await until('it was asked again', () => watches() === 2)
  expect((await far.encode(item, never)).rows).toBe(item.tokens)
})
