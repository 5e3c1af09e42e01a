// Images and videos of a frontend: who answers what before, while and after media workers are there.
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MediaCard } from '../../../../src/pipeline/media/remote/card.ts'
import type { RemoteMaker } from '../../../../src/pipeline/media/remote/maker.ts'
import type { ServedModel } from '../../../../src/pipeline/types.ts'
import { remoteMedia } from '../../../../src/serve/fleet/media/remote-media.ts'
import { testApp } from '../../../helpers/fakes/app.ts'

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

const defaults = { width: 64, height: 64, steps: 4, guidance: 3, frames: 1, fps: 1 }
const info: MediaCard['info'] = { makes: 'image', defaults, takesImages: false, sizeMultiple: 8, frameMultiple: 1, replicas: 1 }
const painter: MediaCard = { id: 'w1', endpoint: 'dyn://a.b.c', address: 'tcp://x:1', names: ['painter'], info, ready: true, startedAt: 1 }
const joined = (card: MediaCard) =>
  ({ kind: 'added', card: { id: card.id, kind: 'media-worker', namespace: 'a', body: { ...card } } }) as const
const talker: ServedModel = { id: 'talker', aliases: ['chat'], createdSecs: 1, contextLength: 10, isEmbedding: false }

function world(text: readonly ServedModel[] = [talker], fsUrl?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'remote-media-'))
  ending.push(() => rmSync(folder, { recursive: true, force: true }))
  const asked: string[] = []
  const media = {
    store: { fsUrl: fsUrl ?? `file://${folder}/files`, httpUrl: undefined, maxBytes: undefined, maxAgeMs: undefined, env: {} },
    jobsFolder: join(folder, 'jobs'),
    input: { allowInternal: false, localPath: undefined, maxDataUrlMb: undefined },
  }
  const remote = remoteMedia({ media: media as never, ignoreUnknownFields: false }, () => text)
  ending.push(remote.close)
  const fleet = remote.follow((card) => makerOf(card, asked))
  const app = testApp({ media: remote.front, controlRoutes: true })
  return { ...app, remote, fleet, asked }
}

/** It paints one dot, and remembers operations. */
function makerOf(first: MediaCard, asked: string[]): RemoteMaker {
  const maker: RemoteMaker & { card: MediaCard } = {
    ...{ id: first.id, card: first, info: first.info, connected: true },
    get ready(): boolean {
      return maker.card.ready
    },
    pending: () => 3,
    update: (next: MediaCard) => {
      maker.card = next
    },
    retire() {},
    close() {},
    async make() {
      const file = { bytes: Uint8Array.of(1), contentType: 'image/png', extension: 'png', width: 64, height: 64, frames: 1 }
      const ms = { queued: 0, engine: 0, encode: 0, total: 0 }
      return { ...{ model: 'x', workerId: first.id, files: [file], seed: 1, width: 64, height: 64, steps: 4, guidance: 3, frames: 1 }, ms }
    },
    async control(name: string, args: Record<string, unknown>) {
      asked.push(`${first.id} ${name} ${JSON.stringify(args)}`)
      return { loaded_adapters: [] }
    },
  }
  return maker
}

const picture = { prompt: 'x', size: '64x64' }

test('without media workers a frontend of text is as it was', async () => {
  const { post, get, remote } = world()
  expect(remote.front.models()).toEqual([])
  expect((await post('/v1/images/generations', picture)).body.error.code).toBe('model_not_found')
  expect((await post('/v1/images/generations', { ...picture, model: 'chat' })).body.error.message).toContain('/v1/chat/completions')
  expect((await get('/media/x.png')).status).toBe(404)
  expect(await (await get('/v1/videos')).json()).toMatchObject({ data: [] })
})

test('before any worker has come: 503', async () => {
  const { post } = world([])
  expect((await post('/v1/images/generations', picture)).status).toBe(503)
})

test('with one: its model is made, found again, and text is sent where it belongs', async () => {
  const { post, get, fleet, remote } = world()
  fleet.change(joined(painter))
  const made = await post('/v1/images/generations', picture)
  expect([made.status, made.headers.get('x-worker-id')]).toEqual([200, 'w1'])
  expect(await (await get(new URL(made.body.data[0].url).pathname)).bytes()).toEqual(Uint8Array.of(1))
  expect((await post('/v1/images/generations', { ...picture, model: 'talker' })).body.error.message).toContain('/v1/chat/completions')
  expect((await post('/v1/images/generations', { ...picture, model: 'nobody' })).body.error.message).toContain('painter (images)')
  expect(remote.models()).toEqual([{ id: 'painter', aliases: [], use: 'makes images: ask POST /v1/images/generations' }])
})

test('its health is its word and the connection', async () => {
  const { fleet, remote } = world()
  fleet.change(joined(painter))
  const engine = { kind: 'mock', level: 'Flux', version: '1', model: '/m' }
  fleet.change({ ...joined({ ...painter, engine }), kind: 'changed' })
  expect(await remote.front.health.check()).toEqual([
    { id: 'w1', healthy: true, ready: true, reason: null, engine, inFlight: 3, ranks: [] },
  ])
  expect(remote.front.ready()).toBe(true)
  fleet.change({ ...joined({ ...painter, ready: false }), kind: 'changed' })
  expect(await remote.front.health.check()).toMatchObject([{ healthy: false, reason: 'the worker says it is not ready', engine: null }])
  expect(remote.front.ready()).toBe(false)
})

test('operations go to the workers of the model that is named, else to all', async () => {
  const { post, get, fleet, asked } = world()
  fleet.change(joined(painter))
  fleet.change(joined({ ...painter, id: 'w2', names: ['drawer', 'ink'] }))
  expect((await post('/v1/set_lora', { model: 'ink', lora_nickname: 'a' })).status).toBe(200)
  expect(asked.splice(0)).toEqual(['w2 set_lora {"lora_nickname":"a"}'])
  await get('/v1/list_loras?model=painter')
  expect(asked.splice(0)).toEqual(['w1 list_loras {}'])
  await post('/engine/unmerge_lora_weights', {})
  expect(asked.splice(0).toSorted()).toEqual(['w1 unmerge_lora_weights {}', 'w2 unmerge_lora_weights {}'])
  const unknown = await post('/engine/set_lora', { model: 'talker' })
  expect([unknown.status, unknown.body.error.message]).toEqual([404, expect.stringMatching(/there are (painter, drawer|drawer, painter)/)])
})

test('once it will stop, new video jobs are refused, and what is waited for is made', async () => {
  const { post, fleet, remote } = world([])
  fleet.change(joined({ ...painter, info: { ...info, makes: 'video' } }))
  remote.leave()
  const { status, body } = await post('/v1/videos', { ...picture, background: true })
  expect([status, body.error.code]).toEqual([503, 'shutting_down'])
  expect((await post('/v1/videos', picture)).status).toBe(200)
})

test('a place that cannot be used is told by name, again with each request', async () => {
  const { post, fleet } = world([], 'file:///dev/null/x')
  fleet.change(joined(painter))
  for (let i = 0; i < 2; i++) {
    const { status, body } = await post('/v1/images/generations', picture)
    expect([status, body.error.code]).toEqual([507, 'storage_failed'])
    expect(body.error.message).toContain('--media-output-fs-url file:///dev/null/x')
  }
})
