// Images from the running product, by the official npm client and by plain requests. The mock engine paints them.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type OpenAI from 'openai'
import { toFile } from 'openai'
import sharp from 'sharp'
import { openai } from '../helpers/openai.ts'
import { eventually } from '../helpers/processes/start.ts'
import { bodyOf, type StartedMedia, startMedia } from '../helpers/processes/start-media.ts'

/** Servers start several times here, on machines that have other things to do. */
setDefaultTimeout(60_000)

let server: StartedMedia
let client: OpenAI
beforeAll(async () => {
  server = await startMedia('image', { args: ['--control-api'] })
  client = openai(server)
})
afterAll(() => server?.stop())

/** SGLang's and Dynamo's fields beside OpenAI's. */
type Extra = { seed?: number; num_inference_steps?: number; nvext?: object }
const ask = <More extends object>(more: More) => ({
  ...{ model: server.model, prompt: 'A lighthouse', size: '256x256' as never, num_inference_steps: 4 },
  ...more,
})
const generate = (more: Extra & { n?: number; response_format?: 'url' | 'b64_json' } = {}) =>
  client.images.generate(ask(more)) as Promise<OpenAI.ImagesResponse>
const post = (path: string, body: object, init: RequestInit = {}) =>
  fetch(`${server.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...init })
const fetched = async (url: string | undefined) => Buffer.from(await (await fetch(url!)).arrayBuffer())

describe('one answer', () => {
  test('has an address on this server, and the picture is there', async () => {
    const { data } = await generate()
    expect(data![0]!.url).toStartWith(`${server.url}/media/users/`)
    const answer = await fetch(data![0]!.url!)
    expect(answer.headers.get('content-type')).toBe('image/png')
    expect(await sharp(await answer.bytes()).metadata()).toMatchObject({ format: 'png', width: 256, height: 256 })
    const part = await fetch(data![0]!.url!, { headers: { range: 'bytes=1-3' } })
    expect([part.status, await part.text()]).toEqual([206, 'PNG'])
  })

  test('n pictures; the same seed gives the same bytes, picture i is that of seed + i', async () => {
    const { data } = await generate({ n: 3, seed: 7 })
    const pictures = await Promise.all(data!.map(({ url }) => fetched(url)))
    expect(new Set(pictures.map((bytes) => Bun.hash(bytes))).size).toBe(3)
    const again = await Promise.all([7, 8, 9].map(async (seed) => fetched((await generate({ seed })).data![0]!.url)))
    expect(again).toEqual(pictures)
  })

  test('b64_json is the picture itself, and nothing is stored', async () => {
    const before = await server.files()
    const [one] = (await generate({ response_format: 'b64_json', seed: 7 })).data!
    expect((await sharp(Buffer.from(one!.b64_json!, 'base64')).metadata()).width).toBe(256)
    expect(await server.files()).toEqual(before)
  })

  test('can be asked for again by its id', async () => {
    const body = (await bodyOf(post('/v1/images/generations', ask({ seed: 7 })))) as { id: string; data: { url: string }[] }
    const content = await fetch(`${server.url}/v1/images/${body.id}/content`)
    expect(Buffer.from(await content.bytes())).toEqual(await fetched(body.data[0]!.url))
  })
})

test('a stream brings previews, then the picture', async () => {
  const stream = await client.images.generate(ask({ stream: true as const, partial_images: 2, num_inference_steps: 6 }))
  const events = await Array.fromAsync(stream as unknown as AsyncIterable<OpenAI.ImageGenStreamEvent>)
  expect(events.map(({ type }) => type)).toEqual([
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.completed',
  ])
  for (const { b64_json } of events) expect((await sharp(Buffer.from(b64_json, 'base64')).metadata()).format).toBe('png')
})

test('an edit as a form: refused by name where the model takes no images', async () => {
  const image = await toFile(
    await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .png()
      .toBuffer(),
    'a.png',
  )
  const failure = await client.images.edit({ model: server.model, image, prompt: 'blue' }).catch((error) => error)
  expect(failure).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'image' })
})

test('64 requests at once are all answered', async () => {
  const answers = await Promise.all(Array.from({ length: 64 }, (_, seed) => generate({ seed })))
  expect(answers.map(({ data }) => data!.length)).toEqual(Array(64).fill(1))
  expect(await server.metric('dynamo_component_media_queued_jobs')).toBe(0)
})

test('models, health and metrics know what is served', async () => {
  const listed = await Array.fromAsync(client.models.list())
  expect(listed.map(({ id }) => id)).toEqual([server.model])
  const health = (await bodyOf(fetch(`${server.url}/health`))) as { models: string[]; workers: { ranks: { canary: string }[] }[] }
  expect(health.models).toEqual([server.model])
  expect(health.workers[0]!.ranks[0]!.canary).toBe('passed')
  expect(await server.metric('dynamo_component_media_steps_total')).toBeGreaterThan(64)
  expect(await server.metric('dynamo_component_media_stored_bytes_total')).toBeGreaterThan(0)
  expect(server.output()).toMatch(/"path":"\/v1\/images\/generations","status":200/)
  expect(server.output()).toMatch(/"method":"GET","path":"\/media\/users\/.*"status":200/)
})

test('text routes and other media routes say where to go', async () => {
  const text = await post('/v1/chat/completions', { model: server.model, messages: [{ role: 'user', content: 'Hi' }] })
  expect(text.status).toBe(404)
  expect((await bodyOf(text)).error.message).toContain('makes images: ask POST /v1/images/generations')
  const video = await post('/v1/videos', { model: server.model, prompt: 'x' })
  expect(video.status).toBe(404)
  expect((await bodyOf(video)).error.message).toContain('makes images, not videos')
  expect((await post('/v1/images/generations', { prompt: 'x', model: 'nope' })).status).toBe(404)
})

test('LoRA by SGLang’s routes and by Dynamo’s', async () => {
  const path = 'org/some-lora'
  expect(await bodyOf(post('/v1/set_lora', { lora_nickname: 'style', lora_path: path }))).toMatchObject({ status: 'ok' })
  const listed = await bodyOf(fetch(`${server.url}/v1/list_loras`))
  expect(listed).toMatchObject({ loaded_adapters: [{ nickname: 'style', path }] })
  const styled = await fetched((await generate({ seed: 7 })).data![0]!.url)
  expect(await bodyOf(post('/engine/unmerge_lora_weights', {}))).toMatchObject({ status: 'ok' })
  expect(await fetched((await generate({ seed: 7 })).data![0]!.url)).not.toEqual(styled)
  const bad = await post('/v1/set_lora', { lora_nickname: 'x', lora_path: '/no/such' })
  expect([bad.status, (await bodyOf(bad)).error.code]).toEqual([400, 'engine_rejected'])
})

test('who leaves frees the engine before its next step, and leaves no file', async () => {
  await using slow = await disposable(startMedia('image', { args: ['--speedup-ratio', '1'] }))
  const stop = new AbortController()
  const body = JSON.stringify({ prompt: 'x', size: '512x512', num_inference_steps: 1000 })
  const long = fetch(`${slow.url}/v1/images/generations`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: stop.signal },
  })
  await eventually('it runs', async () => (await slow.metric('dynamo_component_media_running_jobs')) === 1)
  stop.abort()
  await expect(long).rejects.toThrow()
  await eventually('the engine is free', async () => (await slow.metric('dynamo_component_media_running_jobs')) === 0)
  expect(await slow.metric('dynamo_component_media_failures_total')).toBe(1)
  expect(await slow.files()).toEqual([])
  const next = await openai(slow).images.generate({ prompt: 'x', size: '64x64' as never, n: 1 })
  expect(next.data).toHaveLength(1)
})

test('copies of the engine share the work; addresses begin as --http-url says', async () => {
  const args = ['--workers', '2', '--speedup-ratio', '20', '--http-url', 'https://cdn.example/pictures/']
  await using two = await disposable(startMedia('image', { args }))
  const body = JSON.stringify({ prompt: 'x', size: '256x256' })
  const send = () => fetch(`${two.url}/v1/images/generations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const answers = await Promise.all([send(), send()])
  expect(answers.map(({ headers }) => headers.get('x-worker-id')).sort()).toEqual(['mock-0', 'mock-1'])
  for (const answer of answers) expect((await bodyOf(answer)).data[0].url).toStartWith('https://cdn.example/pictures/users/')
})

/** Stopped at the end of its block. */
async function disposable(starting: Promise<StartedMedia>): Promise<StartedMedia & AsyncDisposable> {
  const started = await starting
  return Object.assign(started, { [Symbol.asyncDispose]: async () => void (await started.stop()) })
}
