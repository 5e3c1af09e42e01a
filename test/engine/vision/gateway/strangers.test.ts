// What the gateway's port costs when somebody asks who is no language server: the protocol knows no caller, so every question has its bounds.
import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import type { MediaItem } from '../../../../src/engine/types.ts'
import { Destinations } from '../../../../src/engine/vision/gateway/destinations.ts'
import { type Gateway, startGateway } from '../../../../src/engine/vision/gateway/gateway.ts'
import { readItems } from '../../../../src/engine/vision/gateway/items.ts'
import { type MockEncoder, mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { log } from '../../../../src/lib/log.ts'
import { languageServer } from '../../../helpers/language-server.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { namedReader, nameOf } from '../../../helpers/named-pictures.ts'

const picture = madeUpPicture('a')
const never = new AbortController().signal
const question = { req_id: 'r', num_parts: 1, part_idx: 0, modality: 'IMAGE', mm_items: [nameOf(picture)], prefill_host: '127.0.0.1' }
const told = { req_id: 'r', receive_count: 1, receive_url: '127.0.0.1:1' }

let encoder: MockEncoder
let gateway: Gateway

beforeAll(async () => {
  encoder = mockEncoder({ modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 1 })
  await encoder.start()
  gateway = startGateway({ encoder, hostname: '127.0.0.1', port: 0, read: namedReader([picture]) })
})

afterAll(async () => {
  await gateway.close()
  await encoder.stop()
})

async function post(path: string, body: unknown): Promise<{ status: number; message: string }> {
  const response = await fetch(gateway.url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
  expect(response.headers.get('content-type')).toContain('application/json')
  const { message = '' } = ((await response.json()) ?? {}) as { message?: string }
  return { status: response.status, message }
}

test.each([
  ['num_parts', { num_parts: 3073, modality: undefined }],
  ['num_parts', { num_parts: 1e300, modality: undefined }],
  ['part_idx', { num_parts: 2, part_idx: 2 }],
  ['req_id', { req_id: 'x'.repeat(1025) }],
  ['mm_items', { mm_items: Array(1501).fill(nameOf(picture)) }],
  ['mm_items[0]', { mm_items: [`https://example.com/${'x'.repeat(16_384)}`] }],
  ['prefill_host', { prefill_host: 'a\0b', embedding_port: [1] }],
  ['prefill_host', { prefill_host: 'x y;rm', embedding_port: [1] }],
  ['prefill_host', { prefill_host: 'x'.repeat(256), embedding_port: [1] }],
  ['embedding_port', { embedding_port: Array(1025).fill(1) }],
  ['This encoder reads', { modality: { toString: 1 } }],
] as const)('%s is bounded (%#)', async (says, more) => {
  const { status, message } = await post('/encode', { ...question, ...more })
  expect([status, message]).toEqual([400, expect.stringContaining(says)])
  expect(message.length).toBeLessThan(300)
})

test.each([
  ['receive_count', { receive_count: 1025 }],
  ['receive_count', { receive_count: 1e300 }],
  ['req_id', { req_id: 'x'.repeat(1025) }],
  ['host:port', { receive_url: 'a\0b:1' }],
  ['host:port', { receive_url: `${'x'.repeat(4000)}:1` }],
])("a rank's %s is bounded (%#)", async (says, more) => {
  const { status, message } = await post('/scheduler_receive_url', { ...told, ...more })
  expect([status, message]).toEqual([400, expect.stringContaining(says)])
  expect(message.length).toBeLessThan(300)
})

test('what a rank tells is read to a few thousand bytes, of a length that is said or not', async () => {
  const long = JSON.stringify({ ...told, more: 'x'.repeat(100_000) })
  expect(await post('/scheduler_receive_url', long)).toMatchObject({ status: 413 })
  const body = new Blob([long]).stream()
  expect((await fetch(`${gateway.url}/scheduler_receive_url`, { method: 'POST', body })).status).toBe(413)
})

test('the most that SGLang asks is taken: the last of 3072 parts by the oldest protocol', async () => {
  const ranks = languageServer()
  const embedding_port = [Number(ranks.ranks[0]!.split(':')[1])]
  const answer = await post('/encode', { ...question, embedding_port, num_parts: 3072, part_idx: 3071, modality: undefined })
  expect(answer.status).toBe(200)
  const { fields } = await ranks.next()
  expect((fields.ready_list as boolean[]).indexOf(true)).toBe(3071)
  ranks.close()
})

test.each(['127.0.0.1:5', 'node-1.some_net:5', '[::1]:5', 'fe80::1%eth0:5', 'tcp://10.0.0.1:5'])(
  '%s is an address',
  async (receive_url) => {
    expect(await post('/scheduler_receive_url', { ...told, req_id: receive_url, receive_url })).toMatchObject({ status: 200 })
  },
)

test('ids and addresses are kept up to a number of characters, the newest', async () => {
  const kept = new Destinations()
  const id = (i: number) => `${i}`.padStart(1000, 'x')
  for (let i = 0; i < 17_000; i++) kept.tell(id(i), 1, '127.0.0.1:1')
  expect(kept.chars).toBeLessThanOrEqual(16_000_000)
  expect(await kept.wait(id(16_999), never)).toEqual(['127.0.0.1:1'])
  kept.clear()
  for (let i = 0; i < 5000; i++) kept.tell('one', 2, `127.0.0.1:${i + 1}`)
  expect(kept.chars).toBeLessThan(100)
  expect(await kept.wait('one', never)).toEqual(['127.0.0.1:1', '127.0.0.1:2'])
  kept.clear()
  expect(kept.chars).toBe(0)
})

test('pictures are read eight at a time, in order, and what is made of them is 600 MB at the most', async () => {
  let reading = 0
  let most = 0
  const reads =
    (file: Uint8Array) =>
    async ({ url }: { url: string }): Promise<MediaItem> => {
      most = Math.max(most, ++reading)
      await Bun.sleep(1)
      reading--
      return { ...picture, file, hash: url }
    }
  const asked = Array.from({ length: 100 }, (_, i) => ({ url: `${i}` }))
  const found = await readItems(asked, reads(picture.file), 'IMAGE', never)
  expect(found.map(({ hash }) => hash)).toEqual(asked.map(({ url }) => url))
  expect(most).toBe(8)
  const large = reads(new Uint8Array(50_000_000))
  await expect(readItems(asked.slice(0, 13), large, 'IMAGE', never)).rejects.toThrow('is more than 600 MB')
})

test('a throw that nobody foresaw is a JSON answer without a word of the source', async () => {
  const quiet = spyOn(log, 'error').mockImplementation(() => {})
  const thrower = () => {
    throw new Error('secret of the source')
  }
  const unready = Object.defineProperty(Object.create(encoder) as MockEncoder, 'ready', { get: thrower })
  const broken = startGateway({ encoder: unready, hostname: '127.0.0.1', port: 0, read: namedReader([]) })
  const response = await fetch(`${broken.url}/health`)
  const text = await response.text()
  expect([response.status, response.headers.get('content-type')]).toEqual([500, expect.stringContaining('application/json')])
  expect(text).not.toContain('secret')
  expect(text.length).toBeLessThan(300)
  await broken.close()
  quiet.mockRestore()
})
