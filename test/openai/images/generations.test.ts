// Pictures from a prompt, as one answer: what reaches the pipeline, where the files are, what the answer tells.
import { expect, spyOn, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { log } from '../../../src/lib/log.ts'
import { imageContent } from '../../../src/openai/images/content.ts'
import { imageAnswer } from '../../../src/openai/schema/images.ts'
import { imagesApp } from '../../helpers/fakes/images-app.ts'

test('a prompt alone is enough; the answer has an address at this server', async () => {
  await using app = imagesApp()
  const { status, body, headers } = await app.post('generations', { prompt: 'a cat' })
  expect(status).toBe(200)
  expect(imageAnswer.parse(body)).toEqual(body)
  expect(body).toMatchObject({ model: 'painter', size: '128x96', output_format: 'png', background: 'opaque', inference_time_s: 1.5 })
  const path = new URL(body.data[0].url).pathname
  expect(body.data[0].url).toStartWith(`${app.url}/media/users/`)
  expect(path).toMatch(new RegExp(`^/media/users/\\w+/generations/${body.id}/[\\da-f-]{36}\\.png$`))
  const kept = app.store.files.get(path.slice('/media/'.length))!
  expect(kept.contentType).toBe('image/png')
  expect(new TextDecoder().decode(kept.bytes)).toBe(`picture of seed ${body.seed}`)
  expect(headers.get('x-worker-id')).toBe('maker-0')
  expect(app.media.requests[0]).toMatchObject({ kind: 'image', model: 'painter', prompt: 'a cat', outputs: 1, partials: 0, images: [] })
})

test('what is open stays open for the model; what is said reaches it', async () => {
  await using app = imagesApp()
  await app.post('generations', { prompt: 'a' })
  const open = app.media.requests[0]!
  expect([open.width, open.height, open.steps, open.guidance, open.negativePrompt, open.extra]).toEqual([...Array(5).fill(undefined), {}])
  await app.post('generations', {
    ...{
      prompt: 'a',
      model: 'org/painter',
      n: 3,
      size: '256x128',
      seed: 7,
      num_inference_steps: 9,
      guidance_scale: 0,
      negative_prompt: 'b',
    },
    ...{ output_format: 'webp', output_compression: 40, true_cfg_scale: 4, max_sequence_length: 256, enable_teacache: true },
  })
  expect(app.media.requests[1]).toMatchObject({
    ...{ outputs: 3, width: 256, height: 128, seed: 7, steps: 9, guidance: 0, negativePrompt: 'b' },
    format: { type: 'webp', compression: 40, background: 'opaque' },
    extra: { true_cfg_scale: 4, max_sequence_length: 256, enable_teacache: true },
  })
})

test("Dynamo's nvext wins; SGLang's width, height and output_quality", async () => {
  await using app = imagesApp()
  const nvext = { seed: 5, num_inference_steps: 2, guidance_scale: 1.5, negative_prompt: 'fog', annotations: ['x'] }
  await app.post('generations', { prompt: 'a', seed: 1, num_inference_steps: 50, nvext, width: 64, height: 32, output_quality: 'medium' })
  expect(app.media.requests[0]).toMatchObject({
    ...{ seed: 5, steps: 2, guidance: 1.5, negativePrompt: 'fog', width: 64, height: 32 },
    format: { compression: 55 },
  })
})

test('n pictures with their seeds, as base64 nothing is kept', async () => {
  await using app = imagesApp()
  const { body } = await app.post('generations', { prompt: 'a', n: 3, seed: 100, response_format: 'b64_json', quality: 'high' })
  expect(body.data.map((one: { seed: number }) => one.seed)).toEqual([100, 101, 102])
  expect(body.data.map((one: { b64_json: string }) => Buffer.from(one.b64_json, 'base64').toString())).toEqual([
    'picture of seed 100',
    'picture of seed 101',
    'picture of seed 102',
  ])
  expect(body.quality).toBe('high')
  expect(body.usage).toEqual({
    ...{ input_tokens: 0, input_tokens_details: { text_tokens: 0, image_tokens: 0 } },
    ...{ output_tokens: 3 * 8 * 6, total_tokens: 3 * 8 * 6 },
  })
  expect(app.store.files.size).toBe(0)
})

test('an open seed is drawn, told, and gives the same picture again', async () => {
  await using app = imagesApp()
  const first = (await app.post('generations', { prompt: 'a', response_format: 'b64_json' })).body
  const second = (await app.post('generations', { prompt: 'a', response_format: 'b64_json', seed: first.seed })).body
  expect(second.data).toEqual(first.data)
  const other = (await app.post('generations', { prompt: 'a' })).body
  expect(other.seed).not.toBe(first.seed)
})

test('user names the folder, and cannot leave it', async () => {
  await using app = imagesApp()
  for (const user of ['ada', '../../etc', 'a/b', '..', '.', 'x\u0000y', 'é'.repeat(500)])
    await app.post('generations', { prompt: 'a', user })
  const paths = [...app.store.files.keys()].filter((path) => path.startsWith('users/'))
  expect(paths).toHaveLength(7)
  for (const path of paths) expect(path).toMatch(/^users\/[\w.-]{1,100}\/generations\/img_\w+\/[\w-]+\.png$/)
  for (const path of paths) expect(path.split('/')).not.toContain('..')
  expect(paths[0]).toStartWith('users/ada/')
})

test('behind a proxy, the address is the one that the client called', async () => {
  await using app = imagesApp()
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'pictures.example:8443' }
  expect((await app.post('generations', { prompt: 'a' }, { headers })).body.data[0].url).toStartWith('https://pictures.example:8443/media/')
  const broken = { 'x-forwarded-proto': 'javascript', 'x-forwarded-host': 'a b/<c>' }
  expect((await app.post('generations', { prompt: 'a' }, { headers: broken })).body.data[0].url).toStartWith(`${app.url}/media/`)
})

test('the pictures of an answer by its id', async () => {
  await using app = imagesApp()
  const { body } = await app.post('generations', { prompt: 'a', n: 2, seed: 1 })
  const text = async (query: string) => {
    const file = await imageContent(app.store, body.id, new URLSearchParams(query))
    return new Response(file.read(0, file.bytes)).text()
  }
  expect(await text('')).toBe('picture of seed 1')
  expect(await text('variant=1')).toBe('picture of seed 2')
  expect(await text('index=1')).toBe('picture of seed 2')
  const fails = (id: string, query = '') =>
    imageContent(app.store, id, new URLSearchParams(query)).then(
      () => 'found',
      (error: AppError) => `${error.status} ${error.param}`,
    )
  expect(await fails(body.id, 'variant=2')).toBe('404 variant')
  expect(await fails(body.id, 'variant=-1')).toBe('400 variant')
  expect(await fails('img_0')).toBe('404 id')
  expect(await fails('../x')).toBe('404 id')
  for (const path of app.store.files.keys()) if (path.endsWith('.png')) app.store.files.delete(path)
  expect(await fails(body.id)).toBe('404 id')
})

test('a full disk: 507, and nothing is left of the answer', async () => {
  for (const failAfter of [0, 1, 2, 3]) {
    await using app = imagesApp()
    app.store.failAfter = failAfter
    const { status, body } = await app.post('generations', { prompt: 'a', n: 3 })
    expect([status, body.error.code]).toEqual([507, 'storage_failed'])
    expect(app.store.files.size).toBe(0)
  }
})

test('an engine that fails says so with its own status', async () => {
  await using app = imagesApp({ script: { fail: { after: 2, error: new AppError('out_of_memory', { message: 'The GPU is full.' }) } } })
  const { status, body } = await app.post('generations', { prompt: 'a' })
  expect([status, body.error.code, body.error.message]).toEqual([500, 'out_of_memory', 'The GPU is full.'])
  expect(app.inFlight()).toBe(0)
})

test('a client that leaves stops the work and leaves no file', async () => {
  await using app = imagesApp({ script: { hangAt: 2 } })
  const leaving = new AbortController()
  const asked = app.post('generations', { prompt: 'a' }, { signal: leaving.signal })
  while (app.media.requests.length === 0) await Bun.sleep(1)
  leaving.abort()
  await asked.catch(() => {})
  while (app.inFlight() > 0) await Bun.sleep(1)
  expect(app.media.aborted).toBe(1)
  expect(app.store.files.size).toBe(0)
  expect(app.lines.at(-1)).toMatchObject({ status: 499 })
})

test("OpenAI's client", async () => {
  await using app = imagesApp()
  const made = await app.openai.images.generate({ model: 'painter', prompt: 'a cat', n: 2, size: '256x256', response_format: 'b64_json' })
  expect(made.data!.map((one) => Buffer.from(one.b64_json!, 'base64').toString())).toEqual([
    expect.stringMatching(/^picture of seed \d+$/),
    expect.stringMatching(/^picture of seed \d+$/),
  ])
  expect(made.size).toBe('256x256')
  const refused = await app.openai.images.generate({ prompt: 'a', size: '100x100' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ status: 400, code: 'invalid_value', param: 'size' })
})

test('what a failed answer may leave in the store is told in the log, with what to do', async () => {
  const warn = spyOn(log, 'warn').mockImplementation(() => {})
  try {
    await using app = imagesApp()
    app.store.failAfter = 1
    app.store.remove = async () => {
      throw new AppError('storage_failed', { message: 'The store is away.' })
    }
    expect((await app.post('generations', { prompt: 'a', n: 2 })).status).toBe(507)
    const [[told, words]] = warn.mock.calls as unknown as [[{ paths: string[] }, string]]
    expect([warn.mock.calls.length, told.paths.includes([...app.store.files.keys()][0]!)]).toEqual([1, true])
    expect(words).toContain('remove it there')
  } finally {
    warn.mockRestore()
  }
})
