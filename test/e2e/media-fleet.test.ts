// Images, videos and text behind one frontend, each made by workers of their own, as a platform team runs them.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type OpenAI from 'openai'
import sharp from 'sharp'
import { openai } from '../helpers/openai.ts'
import { chat, type FleetWorker } from '../helpers/processes/fleet.ts'
import { type MediaFleet, postJson, startMediaFleet, untilReady, workersOf } from '../helpers/processes/media-fleet.ts'
import { eventually } from '../helpers/processes/start.ts'
import { bodyOf } from '../helpers/processes/start-media.ts'

setDefaultTimeout(60_000)

let fleet: MediaFleet
let front: Awaited<ReturnType<MediaFleet['frontend']>>
let images: FleetWorker[]
let film: FleetWorker
let text: FleetWorker
let client: OpenAI
beforeAll(async () => {
  fleet = startMediaFleet()
  ;[front, film, text, ...images] = await Promise.all([
    fleet.frontend(['--control-api', '--router-min-initial-workers', '4']),
    fleet.video(),
    fleet.worker(),
    fleet.image(['--served-model-name', 'flux,painter']),
    fleet.image(['--served-model-name', 'flux']),
  ])
  client = openai(front)
  await untilReady(front.url, 4)
  // The text model's files are fetched from its worker first.
  await eventually('every model is served', async () => (await bodyOf(fetch(`${front.url}/v1/models`))).data.length === 4, 30_000)
})
afterAll(() => fleet?.stop())

const picture = { model: 'flux', prompt: 'A lighthouse', size: '256x256', num_inference_steps: 4 }
const clip = { prompt: 'Waves', size: '128x96', num_frames: 9, num_inference_steps: 4 }
const post = (path: string, body: object, init?: RequestInit) => postJson(front.url, path, body, init)

test('all of them are told, and the frontend is ready with them', async () => {
  const health = await bodyOf(fetch(`${front.url}/health`))
  expect(health.status).toBe('healthy')
  expect(new Set(health.models)).toEqual(new Set(['flux', 'models/tiny-llm', fleet.videoModel]))
  expect(health.workers.map(({ id }: { id: string }) => id).toSorted()).toEqual([...images, film, text].map(({ id }) => id).toSorted())
  expect(health.workers.find(({ id }: { id: string }) => id === film.id).engine).toMatchObject({ kind: 'mock', level: 'WanPipeline' })
  const { data } = await bodyOf(fetch(`${front.url}/v1/models`))
  expect(new Set(data.map(({ id }: { id: string }) => id))).toEqual(new Set(['flux', 'models/tiny-llm', fleet.videoModel, 'painter']))
})

test('each kind is made by its own workers, and says so when it is asked of another', async () => {
  const painted = await post('/v1/images/generations', picture)
  expect(images.map(({ id }) => id)).toContain(painted.headers.get('x-worker-id')!)
  expect((await post('/v1/videos', clip)).headers.get('x-worker-id')).toBe(film.id)
  expect((await chat(front.url, 'Hello')).headers.get('x-worker-id')).toBe(text.id)
  const said = await bodyOf(chat(front.url, 'Hello', { model: 'painter' }))
  expect(said.error.message).toContain('makes images: ask POST /v1/images/generations')
  const drawn = await bodyOf(post('/v1/images/generations', { ...picture, model: 'models/tiny-llm' }))
  expect(drawn.error.message).toContain('ask POST /v1/chat/completions')
  const filmed = await bodyOf(post('/v1/videos', { ...clip, model: 'flux' }))
  expect([filmed.error.code, filmed.error.message]).toEqual(['model_not_found', expect.stringContaining('makes images, not videos')])
})

describe('images', () => {
  test('n of them, as addresses on this frontend that hold what b64_json brings', async () => {
    const body = await bodyOf(post('/v1/images/generations', { ...picture, n: 3, nvext: { seed: 7 } }))
    const stored = await Promise.all(body.data.map(async ({ url }: { url: string }) => Buffer.from(await (await fetch(url)).bytes())))
    expect(body.data[0].url).toStartWith(`${front.url}/media/`)
    expect(new Set(stored.map((bytes) => Bun.hash(bytes))).size).toBe(3)
    const again = await bodyOf(
      post('/v1/images/generations', { ...picture, model: 'painter', n: 3, nvext: { seed: 7 }, response_format: 'b64_json' }),
    )
    expect(again.data.map(({ b64_json }: { b64_json: string }) => Buffer.from(b64_json, 'base64'))).toEqual(stored)
    const content = await fetch(`${front.url}/v1/images/${body.id}/content?variant=1`)
    expect(Buffer.from(await content.bytes())).toEqual(stored[1]!)
  })

  test('a large one travels whole', async () => {
    const { data } = await bodyOf(
      post('/v1/images/generations', { ...picture, size: '1024x1024', output_compression: 0, num_inference_steps: 1 }),
    )
    expect(await sharp(await (await fetch(data[0].url)).bytes()).metadata()).toMatchObject({ width: 1024, height: 1024, format: 'png' })
  })

  test('a stream brings previews on the way', async () => {
    const asked = { ...picture, num_inference_steps: 6, stream: true as const, partial_images: 2 }
    const stream = await client.images.generate(asked as never)
    const events = await Array.fromAsync(stream as unknown as AsyncIterable<OpenAI.ImageGenStreamEvent>)
    expect(events.map(({ type }) => type.split('.')[1])).toEqual(['partial_image', 'partial_image', 'completed'])
    for (const { b64_json } of events) expect((await sharp(Buffer.from(b64_json, 'base64')).metadata()).format).toBe('png')
  })

  test('two at a time use both workers; who cancels frees one at once', async () => {
    const stops = [new AbortController(), new AbortController()]
    const endless = { ...picture, size: '1024x1024', num_inference_steps: 1000 }
    const busy = async () => (await workersOf(front.url)).filter(({ inFlight }) => inFlight > 0).map(({ id }) => id)
    await eventually('both are free', async () => (await busy()).length === 0)
    const jobs = stops.map(({ signal }) => post('/v1/images/generations', endless, { signal }).catch((error: Error) => error.name))
    await eventually('both paint', async () => (await busy()).length === 2)
    expect((await busy()).toSorted()).toEqual(images.map(({ id }) => id).toSorted())
    stops[0]!.abort()
    expect((await post('/v1/images/generations', picture)).status).toBe(200)
    stops[1]!.abort()
    expect(await Promise.all(jobs)).toEqual(['AbortError', 'AbortError'])
    await eventually('both are free', async () => (await busy()).length === 0)
  })
})

describe('videos', () => {
  test('as a job of OpenAI’s client: its file is kept by the frontend', async () => {
    const before = await front.files()
    const asked = { ...clip, size: clip.size as never, model: fleet.videoModel as never }
    const job = await client.videos.create(asked)
    await eventually('it is made', async () => (await client.videos.retrieve(job.id)).status === 'completed')
    expect((await (await client.videos.downloadContent(job.id)).bytes()).length).toBeGreaterThan(100)
    expect((await front.files()).length).toBeGreaterThan(before.length)
    expect((await client.videos.list()).data.map(({ id }) => id)).toContain(job.id)
    await client.videos.delete(job.id)
    expect(await front.files()).toEqual(before)
  })

  test('in the answer, as events, as JPEGs', async () => {
    const { data } = await bodyOf(post('/v1/videos', clip))
    expect((await fetch(data[0].url)).status).toBe(200)
    const events = await (await post('/v1/videos', { ...clip, stream: true })).text()
    expect(events.trim()).toEndWith('data: [DONE]')
    const jpegs = Buffer.from(await (await post('/v1/videos/stream', clip)).bytes()).toString('latin1')
    expect(jpegs.match(/Content-Type: image\/jpeg/g)).toHaveLength(9)
  })

  test('a job that waits tells its place; a cancelled one frees the worker', async () => {
    const slow = await fleet.video(['--served-model-name', 'slow', '--speedup-ratio', '1'])
    await untilReady(front.url, 5)
    const endless = { ...clip, model: 'slow', num_inference_steps: 1000, background: true }
    const [first, second] = [await bodyOf(post('/v1/videos', endless)), await bodyOf(post('/v1/videos', endless))]
    const state = (id: string) => bodyOf(fetch(`${front.url}/v1/videos/${id}`))
    await eventually('one is made', async () => (await state(first.id)).status === 'in_progress')
    await eventually('the other one waits for it', async () => (await state(second.id)).queue_position === 0)
    await post(`/v1/videos/${first.id}/cancel`, {})
    await eventually('the other one is made', async () => (await state(second.id)).status === 'in_progress')
    await post(`/v1/videos/${second.id}/cancel`, {})
    expect((await post('/v1/videos', { ...clip, model: 'slow' })).headers.get('x-worker-id')).toBe(slow.id)
    expect(await slow.stop()).toBe(0)
    await untilReady(front.url, 4)
  })
})

describe('operators', () => {
  test('LoRA reaches every worker of the model that is named, and no other', async () => {
    const before = await bodyOf(post('/v1/images/generations', { ...picture, seed: 1, response_format: 'b64_json' }))
    const set = { model: 'flux', lora_nickname: 'ink', lora_path: 'some/ink' }
    expect(await bodyOf(post('/v1/set_lora', set))).toMatchObject({ status: 'ok', message: expect.stringContaining('2 engine') })
    const after = await Promise.all(
      [1, 2].map(() => bodyOf(post('/v1/images/generations', { ...picture, seed: 1, response_format: 'b64_json' }))),
    )
    for (const { data } of after) expect(data[0].b64_json).not.toBe(before.data[0].b64_json)
    const listed = await bodyOf(fetch(`${front.url}/v1/list_loras?model=flux`))
    expect(listed.loaded_adapters).toEqual([{ nickname: 'ink', path: 'some/ink' }])
    expect((await bodyOf(fetch(`${front.url}/v1/list_loras?model=${fleet.videoModel}`))).loaded_adapters).toEqual([])
    const unmerged = await bodyOf(post('/engine/unmerge_lora_weights', { model: 'flux' }))
    expect(unmerged.results.map(({ worker_id }: { worker_id: string }) => worker_id).toSorted()).toEqual(
      images.map(({ id }) => id).toSorted(),
    )
    const unknown = await bodyOf(post('/v1/set_lora', { ...set, model: 'nothing' }))
    expect(unknown.error).toMatchObject({ code: 'model_not_found', param: 'model' })
  })

  test('operations of text engines go to those', async () => {
    const { results } = await bodyOf(post('/engine/flush_cache', {}))
    expect(results.map(({ worker_id }: { worker_id: string }) => worker_id)).toEqual([text.id])
  })
})

test('several frontends share the workers; files and jobs are each one’s own', async () => {
  const other = await fleet.frontend()
  await untilReady(other.url, 4)
  const asked = { ...picture, nvext: { seed: 9 }, response_format: 'b64_json' }
  const [here, there] = await Promise.all([front, other].map(({ url }) => bodyOf(postJson(url, '/v1/images/generations', asked))))
  expect(there.data[0].b64_json).toBe(here.data[0].b64_json)
  // Jobs of the one are load for the other.
  const stop = new AbortController()
  const endless = { ...picture, size: '1024x1024', num_inference_steps: 1000 }
  const job = post('/v1/images/generations', endless, { signal: stop.signal }).catch(() => {})
  const busy = async () => (await workersOf(other.url)).find(({ inFlight }) => inFlight === 1)?.id
  await eventually('it is told', async () => (await busy()) !== undefined)
  const painted = await postJson(other.url, '/v1/images/generations', picture)
  expect(images.map(({ id }) => id)).toContain(painted.headers.get('x-worker-id')!)
  expect(painted.headers.get('x-worker-id')).not.toBe((await busy())!)
  stop.abort()
  await job
  expect(await other.stop()).toBe(0)
})
