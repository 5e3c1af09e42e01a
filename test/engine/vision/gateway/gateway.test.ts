// The gateway as a language server of SGLang sees it.
import { afterEach, expect, test } from 'bun:test'
import { itemHash } from '../../../../src/engine/vision/embeddings.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../../../../src/engine/vision/gateway/gateway.ts'
import { type MockEncoder, mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { type LanguageServer, languageServer } from '../../../helpers/language-server.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { namedReader, nameOf } from '../../../helpers/named-pictures.ts'

const [a, b] = [madeUpPicture('a'), madeUpPicture('b', 5, 7)]
const never = new AbortController().signal

let encoder: MockEncoder
let gateway: Gateway
const servers: LanguageServer[] = []

async function start(options: Partial<GatewayOptions> = {}, failure = ''): Promise<Gateway> {
  encoder = mockEncoder({ modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 1, failure })
  await encoder.start()
  gateway = startGateway({ encoder, hostname: '127.0.0.1', port: 0, read: namedReader([a, b]), ...options })
  return gateway
}

function server(ranks = 1): LanguageServer {
  const made = languageServer(ranks)
  servers.push(made)
  return made
}

afterEach(async () => {
  await gateway?.close()
  await encoder?.stop()
  for (const each of servers.splice(0)) each.close()
})

test('two pictures of one part come as one block of rows, to each of two ranks, whoever asks first', async () => {
  const { url } = await start()
  const ranks = server(2)
  const rows = Buffer.concat([(await encoder.encode(a, never)).bytes, (await encoder.encode(b, never)).bytes])
  for (const order of ['encode first', 'ranks first', 'one rank in between'] as const) {
    const reqId = `${order}_local_part_0`
    const early = order === 'ranks first' ? [0, 1] : order === 'one rank in between' ? [1] : []
    const late = [0, 1].filter((rank) => !early.includes(rank))
    await ranks.tellReceivers(url, reqId, early)
    const answer = ranks.encode(url, { req_id: reqId, mm_items: [nameOf(a), { url: nameOf(b), detail: 'auto' }] })
    await Bun.sleep(10)
    expect(await ranks.tellReceivers(url, reqId, late)).toEqual(late.map(() => 200))
    expect(await answer).toEqual({ status: 200, body: null })
    for (const rank of [0, 1]) {
      const { name, fields, rows: got } = await ranks.next(rank)
      expect(name).toBe('sglang.srt.disaggregation.encoder.receiver.EmbeddingData')
      expect(fields).toEqual({
        req_id: reqId,
        num_parts: 1,
        part_idx: 0,
        grid_dim: [
          [1, 6, 8],
          [1, 10, 14],
        ],
        modality: ['sglang.srt.managers.schedule_batch.Modality', 1],
        embedding: null,
        send_time: null,
        dtype: 'torch.float32',
        shape: [47, 16],
        _mr_ptr: null,
        error_msg: null,
        error_code: null,
      })
      expect(Buffer.compare(got!, rows)).toBe(0)
    }
  }
})

test('a port in the question itself gets the rows: one number as tokenizers ask, a list as old schedulers do', async () => {
  const { url } = await start()
  const tokenizer = server()
  const port = Number(tokenizer.ranks[0]!.split(':')[1])
  for (const embedding_port of [port, [port]]) {
    const answer = await tokenizer.encode(url, {
      req_id: 'x_local_part_1',
      num_parts: 2,
      part_idx: 1,
      mm_items: [nameOf(a)],
      embedding_port,
    })
    expect(answer).toEqual({ status: 200, body: null })
    const { fields, rows } = await tokenizer.next()
    expect(fields).toMatchObject({ req_id: 'x_local_part_1', num_parts: 2, part_idx: 1, shape: [12, 16] })
    expect(itemHash(rows!)).toBe((await encoder.encode(a, never)).itemHash)
  }
})

test.each([
  ['0.5.12 and before, by what their questions leave out', undefined, { time_stats_json: undefined }],
  ['0.5.13 to 0.5.18, where their version was said', '0.5.18', {}],
] as const)('servers of %s, get the class at its place of then and grids as tensors', async (_, release, asks) => {
  const { url } = await start(release === undefined ? {} : { release })
  const ranks = server()
  const embedding_port = [Number(ranks.ranks[0]!.split(':')[1])]
  const ask = (item: string) => ranks.encode(url, { req_id: 'r', mm_items: [item], embedding_port, ...asks })
  expect(await ask(nameOf(a))).toMatchObject({ status: 200 })
  expect(await ranks.next()).toMatchObject({
    name: 'sglang.srt.disaggregation.encode_receiver.EmbeddingData',
    // What the classes of 0.5.10, 0.5.12, 0.5.15 and 0.5.18 read.
    fields: {
      ...{ req_id: 'r', num_parts: 1, part_idx: 0, dtype: 'torch.float32', shape: [12, 16] },
      ...{ embedding: null, send_time: null, error_msg: null, error_code: null },
      grid_dim: ['torch.LongTensor', [[1, 6, 8]]],
      modality: ['sglang.srt.managers.schedule_batch.Modality', 1],
    },
  })
  expect(await ask('nobody')).toMatchObject({ status: 404 })
  expect(await ranks.next()).toMatchObject({
    name: 'sglang.srt.disaggregation.encode_receiver.EmbeddingData',
    fields: { error_code: 404 },
  })
})

test('servers before 0.5.10 get the attributes that they had, later ones the class at its place of then', async () => {
  const { url } = await start({ release: '0.5.18' })
  const ranks = server()
  const port = Number(ranks.ranks[0]!.split(':')[1])
  await ranks.encode(url, { req_id: 'old', num_parts: 2, mm_items: [nameOf(a)], embedding_port: [port], modality: undefined })
  const { fields } = await ranks.next()
  const grid = ['torch.LongTensor', [[1, 6, 8]]]
  expect(fields).toMatchObject({
    image_grid_dim: grid,
    ready_list: [true, false],
    embedding_list: [null, null],
    image_grid_dim_list: [grid, null],
  })
  expect(fields).not.toHaveProperty('modality')
})

test('a picture that the encoder refuses, or that nobody knows, is told by HTTP and to every rank', async () => {
  const { url } = await start({}, 'error')
  const ranks = server(2)
  const cases = [
    { items: [nameOf(a)], status: 500, says: 'told to fail' },
    { items: ['named:unknown'], status: 404, says: 'named:unknown is not here' },
  ]
  for (const { items, status, says } of cases) {
    const reqId = `${says}_local_part_0`
    const answer = await ranks.encode(url, { req_id: reqId, mm_items: items })
    expect(answer).toMatchObject({ status, body: { status: 'error', message: expect.stringContaining(says), req_id: reqId } })
    await ranks.tellReceivers(url, reqId)
    for (const rank of [0, 1]) {
      const { fields, rows } = await ranks.next(rank)
      expect(fields).toMatchObject({
        req_id: reqId,
        error_msg: expect.stringContaining(says),
        error_code: status,
        grid_dim: null,
        dtype: null,
        shape: null,
      })
      expect(rows).toBeUndefined()
    }
  }
})

test('one row too few never leaves', async () => {
  const { url } = await start({}, 'short-row')
  const ranks = server()
  await ranks.tellReceivers(url, 'r')
  const answer = await ranks.encode(url, { req_id: 'r', mm_items: [nameOf(a)] })
  expect(answer).toMatchObject({ status: 500, body: { message: expect.stringContaining('11 rows for 12 placeholders') } })
  expect((await ranks.next()).fields).toMatchObject({ error_code: 500 })
})

test('an encoder that hangs ends at the deadline, by HTTP and by a frame, and its work is dropped', async () => {
  const { url } = await start({ deadlineMs: 50 }, 'hang-after=0')
  const ranks = server()
  await ranks.tellReceivers(url, 'r')
  const answer = await ranks.encode(url, { req_id: 'r', mm_items: [nameOf(a)] })
  expect(answer).toMatchObject({ status: 504, body: { message: expect.stringContaining('did not finish within 0.05 s') } })
  expect((await ranks.next()).fields).toMatchObject({ error_code: 504 })
  expect(encoder.patchesInFlight()).toBe(0)
})

test('ranks that never tell where they are end the part at the deadline too', async () => {
  const { url } = await start({ deadlineMs: 50 })
  const ranks = server(2)
  await ranks.tellReceivers(url, 'r', [1])
  const answer = await ranks.encode(url, { req_id: 'r', mm_items: [nameOf(a)] })
  expect(answer).toMatchObject({ status: 504, body: { message: expect.stringContaining('ranks did not tell where') } })
  await ranks.tellReceivers(url, 'r', [0])
  for (const rank of [0, 1]) expect((await ranks.next(rank)).fields).toMatchObject({ error_code: 504 })
})

test('a server that hangs up ends the work', async () => {
  const { url } = await start({}, 'hang-after=0')
  const leaving = new AbortController()
  const asked = server().encode(url, { req_id: 'r', mm_items: [nameOf(a)] }, leaving.signal)
  while (encoder.patchesInFlight() === 0) await Bun.sleep(2)
  leaving.abort()
  await expect(asked).rejects.toThrow()
  while (encoder.patchesInFlight() > 0) await Bun.sleep(2)
  expect(gateway.running).toBe(0)
})

test('a rank that is gone fails the part, a rank that was restarted is dialled again', async () => {
  const { url } = await start()
  const dead = server()
  dead.close()
  await dead.tellReceivers(url, 'gone')
  expect(await dead.encode(url, { req_id: 'gone', mm_items: [nameOf(a)] })).toMatchObject({ status: 502 })

  const first = server()
  await first.tellReceivers(url, 'one')
  expect(await first.encode(url, { req_id: 'one', mm_items: [nameOf(a)] })).toMatchObject({ status: 200 })
  await first.next()
  first.close()
  const again = server()
  await again.tellReceivers(url, 'two')
  expect(await again.encode(url, { req_id: 'two', mm_items: [nameOf(a)] })).toMatchObject({ status: 200 })
  expect((await again.next()).fields).toMatchObject({ req_id: 'two' })
})

test('bodies that make no sense are refused by name', async () => {
  const { url } = await start()
  const some = server()
  const refused = async (body: Record<string, unknown>) =>
    (await some.encode(url, { req_id: 'r', mm_items: ['x'], ...body })) as { status: number; body: { message: string } }
  expect((await refused({ num_parts: 0 })).body.message).toContain('num_parts')
  expect((await refused({ part_idx: 3 })).body.message).toContain('part_idx')
  expect((await refused({ mm_items: [] })).body.message).toContain('mm_items')
  expect((await refused({ modality: 'AUDIO' })).body.message).toContain('AUDIO')
  expect((await refused({ embedding_port: 'x' })).body.message).toContain('embedding_port')
  for (const bad of ['{', '[]', '{"req_id":"r","receive_count":1,"receive_url":"nowhere"}'])
    expect((await fetch(`${url}/scheduler_receive_url`, { method: 'POST', body: bad })).status).toBe(400)
  expect((await fetch(`${url}/send`, { method: 'POST' })).status).toBe(404)
})

test('/health tells whether the encoder can', async () => {
  const { url } = await start()
  const health = async () => (await fetch(`${url}/health`)).status
  expect(await health()).toBe(200)
  encoder.die()
  expect(await health()).toBe(503)
})
