// The gateway as an encode worker for language servers that somebody else runs: pictures come by address, under the rules for users' images.
import { afterEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { MediaItem } from '../../../../src/engine/types.ts'
import { type Gateway, startGateway } from '../../../../src/engine/vision/gateway/gateway.ts'
import { itemReader } from '../../../../src/engine/vision/gateway/items.ts'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { usualClipLimits } from '../../../../src/media/input/clip/limits.ts'
import { defaultPolicy } from '../../../../src/media/input/policy.ts'
import { clipOf, dataUrl as clipUrl, hasFfmpeg } from '../../../helpers/clips.ts'
import { languageServer } from '../../../helpers/language-server.ts'
import { gridModel, noisePicture } from '../../../helpers/vision.ts'
import { presetModel } from '../../../media/vision/vectors.ts'

const model = gridModel(510)

let gateway: Gateway
afterEach(() => gateway.close())

const dataUrl = ({ file }: MediaItem) => `data:image/png;base64,${Buffer.from(file).toString('base64')}`

test('pictures by address are read, planned and encoded; one that may not be read is refused by name', async () => {
  const encoder = mockEncoder({ modelPath: 'm', dim: 8 })
  await encoder.start()
  const seen: (readonly MediaItem[])[] = []
  gateway = startGateway({
    encoder,
    hostname: '127.0.0.1',
    port: 0,
    read: itemReader({ policy: defaultPolicy, model }),
    onDone: (items) => seen.push(items),
  })
  const server = languageServer()
  const port = Number(server.ranks[0]!.split(':')[1])
  const [a, b] = [await noisePicture(1, 112, 84), await noisePicture(2, 196, 140)]
  const ask = (mm_items: unknown[]) => server.encode(gateway.url, { req_id: 'r_local_part_0', mm_items, embedding_port: [port] })

  expect(await ask([dataUrl(a), { url: dataUrl(b), detail: 'auto' }])).toMatchObject({ status: 200 })
  expect((await server.next()).fields).toMatchObject({ grid_dim: [a.grid, b.grid], shape: [47, 8] })
  // Files are written anew without their notes, and named by what they are then.
  expect(seen[0]!.map(({ tokens }) => tokens)).toEqual([a.tokens, b.tokens])
  for (const { file, hash } of seen[0]!) expect(hash).toBe(createHash('sha256').update(file).digest('hex'))

  const refused = [
    ['data:image/png;base64,YSBwb2VtLCBubyBwaWN0dXJl', 'mm_items[1]'],
    ['http://127.0.0.1:1/cat.png', 'mm_items[1]'],
    ['file:///etc/passwd', 'mm_items[1]'],
  ]
  for (const [url, says] of refused) {
    expect(await ask([dataUrl(a), url])).toMatchObject({ status: 400, body: { message: expect.stringContaining(says!) } })
    expect((await server.next()).fields).toMatchObject({ error_code: 400, error_msg: expect.stringContaining(says!) })
  }
  server.close()
  await encoder.stop()
})

// Frames 0, 19, 39 and 59 (test/fixtures/vision/clips.json). Where the prompt shows times, SGLang would look for the other form once a group of frames.
const seconds = [0.31666666666666665, 1.6333333333333333]
test.skipIf(!hasFfmpeg()).each([
  ['qwen3vl', { grid_dim: [[2, 18, 24]], shape: [216, 8], video_timestamps: [seconds] }, 'second_per_grid_ts'],
  ['qwen2vl', { second_per_grid_ts: [1] }, 'video_timestamps'],
] as const)('%s: clips by address are sampled as SGLang samples them, and told with their times', async (preset, told, untold) => {
  const encoder = mockEncoder({ modelPath: 'm', dim: 8 })
  await encoder.start()
  const model = presetModel(preset)
  gateway = startGateway({
    encoder,
    hostname: '127.0.0.1',
    port: 0,
    read: itemReader({ policy: defaultPolicy, model, clips: usualClipLimits }),
  })
  const server = languageServer()
  const port = Number(server.ranks[0]!.split(':')[1])
  const ask = (url: string) =>
    server.encode(gateway.url, { req_id: 'r_local_part_0', mm_items: [url], embedding_port: [port], modality: 'VIDEO' })

  expect(await ask(clipUrl(clipOf({ width: 64, height: 48, fps: 30, secs: 2 })))).toMatchObject({ status: 200 })
  const { fields } = await server.next()
  expect(fields).toMatchObject(told)
  expect(fields).not.toHaveProperty(untold)
  expect(await ask(clipUrl(new Uint8Array(100)))).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('is no video file') },
  })
  server.close()
  await encoder.stop()
})
