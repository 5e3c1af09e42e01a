// Pictures as server-sent events: OpenAI's shapes, progress that its clients do not see, failures, clients that leave.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { imageEvent } from '../../../src/openai/schema/images.ts'
import { mediaUnread } from '../../../src/openai/stream/unread-budget.ts'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { imagesApp } from '../../helpers/fakes/images-app.ts'

/** Comments and events of a stream, in order. */
function eventsOf(text: string) {
  expect(text).toEndWith('\n\n')
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((block) => {
      const [, name, data] = /^event: (\S+)\ndata: (.*)$/.exec(block) ?? []
      return data === undefined ? { comment: block } : { name: name!, data: JSON.parse(data) }
    })
}

const named = (text: string) => eventsOf(text).flatMap((one) => ('data' in one ? [one] : []))

test('previews, then the picture, in the shapes of OpenAI; then the end', async () => {
  await using app = imagesApp()
  const { status, headers, body } = await app.post('generations', {
    prompt: 'a',
    seed: 3,
    stream: true,
    partial_images: 2,
    size: '128x128',
  })
  expect(status).toBe(200)
  expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(headers.get('x-worker-id')).toBe('maker-0')
  const events = named(body)
  for (const { data } of events) expect(imageEvent.parse(data)).toEqual(data)
  expect(events.map(({ name, data }) => [name, data.type === name, data.partial_image_index])).toEqual([
    ['image_generation.partial_image', true, 0],
    ['image_generation.partial_image', true, 1],
    ['image_generation.completed', true, undefined],
  ])
  const text = (at: number) => Buffer.from(events[at]!.data.b64_json, 'base64').toString()
  expect([text(0), text(1), text(2)]).toEqual(['preview 0', 'preview 1', 'picture of seed 3'])
  const { b64_json, created_at, ...last } = events[2]!.data
  expect(last).toEqual({
    ...{ type: 'image_generation.completed', size: '128x128', quality: 'auto', background: 'opaque', output_format: 'png', seed: 3 },
    usage: { input_tokens: 0, input_tokens_details: { text_tokens: 0, image_tokens: 0 }, output_tokens: 64, total_tokens: 64 },
  })
  expect(created_at).toBeWithin(Date.now() / 1000 - 60, Date.now() / 1000 + 60)
  expect(app.store.files.size).toBe(0)
})

test('progress is told in comments', async () => {
  await using app = imagesApp({ script: { ahead: 3, steps: 2 } })
  const { body } = await app.post('generations', { prompt: 'a', stream: true })
  expect(eventsOf(body).map((one) => ('comment' in one ? one.comment : one.name))).toEqual([
    ': queued, 3 before it',
    ': image 0, step 1 of 2, 50 %',
    ': image 0, step 2 of 2, 100 %',
    'image_generation.completed',
  ])
})

test('and in events for who asks for them', async () => {
  await using app = imagesApp({ script: { steps: 2 } })
  const { body } = await app.post('generations', { prompt: 'a', n: 2, stream: true, nvext: { annotations: ['progress'] } })
  const events = named(body)
  for (const { data } of events) expect(imageEvent.parse(data)).toEqual(data)
  expect(
    events.filter(({ name }) => name === 'image_generation.progress').map(({ data }) => [data.image_index, data.step, data.fraction]),
  ).toEqual([
    [0, 1, 0.25],
    [0, 2, 0.5],
    [1, 1, 0.75],
    [1, 2, 1],
  ])
})

test('several pictures say which they are', async () => {
  await using app = imagesApp()
  const { body } = await app.post('generations', { prompt: 'a', n: 2, seed: 8, stream: true, partial_images: 1 })
  expect(named(body).map(({ name, data }) => [name?.split('.')[1], data.image_index, data.seed])).toEqual([
    ['partial_image', 0, undefined],
    ['completed', 0, 8],
    ['partial_image', 1, undefined],
    ['completed', 1, 9],
  ])
})

test('addresses instead of base64 for who asks for them', async () => {
  await using app = imagesApp()
  const { body } = await app.post('generations', { prompt: 'a', n: 2, seed: 8, stream: true, response_format: 'url' })
  const urls = named(body).map(({ data }) => data.url)
  expect(urls).toHaveLength(2)
  const texts = urls.map((url) => new TextDecoder().decode(app.store.files.get(new URL(url).pathname.slice('/media/'.length))!.bytes))
  expect(texts).toEqual(['picture of seed 8', 'picture of seed 9'])
})

test('a failure before the first event has its own status', async () => {
  const error = new AppError('overloaded', { message: 'Too many wait.', retryAfterSecs: 7 })
  await using app = imagesApp({ script: { fail: { after: 0, error } } })
  const { status, headers, body } = await app.post('generations', { prompt: 'a', stream: true })
  expect([status, headers.get('retry-after'), body.error.code]).toEqual([529, '7', 'overloaded'])
})

test('a failure after it is an event, and the end', async () => {
  const error = new AppError('engine_failed', { message: 'The engine crashed.' })
  await using app = imagesApp({ script: { paceMs: 1, fail: { after: 2, error } } })
  const { status, body } = await app.post('generations', { prompt: 'a', stream: true })
  expect(status).toBe(200)
  expect(named(body)).toEqual([
    {
      name: 'error',
      data: { type: 'error', error: { message: 'The engine crashed.', type: 'server_error', param: null, code: 'engine_failed' } },
    },
  ])
  expect(app.lines.at(-1)).toMatchObject({ ending: 'engine_failed' })
  expect(app.inFlight()).toBe(0)
})

test('a full disk ends the work; nothing is left', async () => {
  await using app = imagesApp({ script: { paceMs: 5, steps: 4 } })
  app.store.failAfter = 1
  const { body } = await app.post('generations', { prompt: 'a', n: 5, stream: true, response_format: 'url' })
  expect(named(body).map(({ name, data }) => data.error?.code ?? name)).toEqual(['image_generation.completed', 'storage_failed'])
  expect(app.store.files.size).toBe(0)
  expect(app.media.aborted).toBe(1)
})

test('a client that leaves stops the work', async () => {
  await using app = imagesApp({ script: { hangAt: 3 } })
  const leaving = new AbortController()
  const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, signal: leaving.signal }
  const response = await fetch(`${app.url}/v1/images/generations`, {
    ...asked,
    body: JSON.stringify({ prompt: 'a', stream: true, response_format: 'url' }),
  })
  await response.body!.getReader().read()
  leaving.abort()
  while (app.inFlight() > 0) await Bun.sleep(1)
  expect(app.media.aborted).toBe(1)
  expect(app.store.files.size).toBe(0)
  expect(app.lines.at(-1)).toMatchObject({ ending: 'disconnect' })
})

test('a client that reads slowly misses previews, never the picture', async () => {
  await using app = imagesApp({ script: { paceMs: 1, previewBytes: 12 << 20 } })
  const response = await fetch(`${app.url}/v1/images/generations`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ prompt: 'a', stream: true, partial_images: 3 }),
  })
  while (app.media.made === 0) await Bun.sleep(1)
  const names = named(await response.text()).map(({ name }) => name)
  expect(names.at(-1)).toBe('image_generation.completed')
  expect(names.length).toBeLessThan(4)
})

test("OpenAI's client reads a stream, and sees only events that it knows", async () => {
  await using app = imagesApp({ script: { ahead: 1 } })
  const stream = await app.openai.images.generate({ prompt: 'a', seed: 4, stream: true, partial_images: 3 } as never)
  const seen: string[] = []
  for await (const event of stream as unknown as AsyncIterable<{ type: string; b64_json: string }>)
    seen.push(`${event.type} ${Buffer.from(event.b64_json, 'base64')}`)
  expect(seen).toEqual([
    'image_generation.partial_image preview 0',
    'image_generation.partial_image preview 1',
    'image_generation.partial_image preview 2',
    'image_generation.completed picture of seed 4',
  ])
})

test("OpenAI's client throws what the stream says went wrong", async () => {
  const error = new AppError('engine_failed', { message: 'The engine crashed.' })
  await using app = imagesApp({ script: { paceMs: 1, fail: { after: 3, error } } })
  const stream = await app.openai.images.generate({ prompt: 'a', stream: true, partial_images: 1 })
  const seen: string[] = []
  const read = async () => {
    for await (const event of stream) seen.push(event.type)
  }
  const failed = await read().catch((thrown: unknown) => thrown)
  expect(failed).toMatchObject({ code: 'engine_failed', message: expect.stringContaining('The engine crashed.') })
  expect(seen).toEqual(['image_generation.partial_image'])
})

test("OpenAI's client that breaks off stops the work", async () => {
  await using app = imagesApp({ script: { hangAt: 3 } })
  const stream = await app.openai.images.generate({ prompt: 'a', stream: true, partial_images: 3 })
  for await (const _ of stream) break
  while (app.inFlight() > 0) await Bun.sleep(1)
  expect(app.media.aborted).toBe(1)
})

test("an edit has events of its own name, also from OpenAI's client", async () => {
  await using app = imagesApp({ script: { info: { takesImages: true } } })
  const image = new File([pngHead(64, 64)], 'cat.png', { type: 'image/png' })
  const stream = await app.openai.images.edit({ image, prompt: 'a', stream: true, partial_images: 1 })
  const seen: string[] = []
  for await (const event of stream) seen.push(event.type)
  expect(seen).toEqual(['image_edit.partial_image', 'image_edit.completed'])
})

test('a client that reads nothing ends the work; its connection is cut, so that no half of a picture looks like a whole one', async () => {
  await using app = imagesApp({ script: { paceMs: 5, pictureBytes: 30 << 20 } })
  const response = await fetch(`${app.url}/v1/images/generations`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ prompt: 'a', n: 10, stream: true }),
  })
  while (app.inFlight() > 0) await Bun.sleep(5)
  expect(app.media.aborted).toBe(1)
  expect(mediaUnread.sum).toBe(0)
  expect(app.lines.at(-1)).toMatchObject({ ending: 'disconnect' })
  expect(await response.text().catch((thrown: unknown) => thrown)).toBeInstanceOf(Error)
})
