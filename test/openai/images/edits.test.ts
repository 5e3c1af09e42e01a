// Pictures from images: JSON in the ways of OpenAI, Dynamo and SGLang, forms as clients send them.
import { expect, test } from 'bun:test'
import { toFile } from 'openai'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { imagesApp } from '../../helpers/fakes/images-app.ts'

const taking = { script: { info: { takesImages: true } } }
const cat = pngHead(640, 480)
const base64 = Buffer.from(cat).toString('base64')

function form(fields: Record<string, string | Uint8Array | (string | Uint8Array)[]>): FormData {
  const made = new FormData()
  for (const [name, value] of Object.entries(fields))
    for (const one of Array.isArray(value) ? value : [value])
      typeof one === 'string' ? made.append(name, one) : made.append(name, new File([one.slice()], 'cat.png', { type: 'image/png' }))
  return made
}

test('every way to name an image in JSON', async () => {
  await using app = imagesApp(taking)
  const ways: object[] = [
    { input_reference: 'https://images.test/640x480' },
    { input_reference: base64 },
    { image: `https://images.test/640x480` },
    { image: { url: 'https://images.test/640x480' } },
    { image: { image_url: 'https://images.test/640x480' } },
    { image: { image_url: { url: 'https://images.test/640x480' } } },
    { image: { b64_json: base64 } },
    { images: [{ image_url: 'https://images.test/640x480' }] },
    { url: ['https://images.test/640x480'] },
  ]
  for (const way of ways) {
    const { status } = await app.post('edits', { prompt: 'a hat', ...way })
    expect([way, status]).toEqual([way, 200])
    expect(app.media.requests.at(-1)!.images).toEqual([new Uint8Array(cat)])
  }
  expect((await app.post('generations', { prompt: 'a hat', input_reference: base64 })).status).toBe(200)
  expect(app.media.requests.at(-1)!.images).toHaveLength(1)
})

test('several images keep their order', async () => {
  await using app = imagesApp(taking)
  await app.post('edits', { prompt: 'a', images: ['https://images.test/1x2', 'https://images.test/3x4'], url: 'https://images.test/5x6' })
  expect(app.media.requests[0]!.images).toEqual([pngHead(1, 2), pngHead(3, 4), pngHead(5, 6)])
})

test('without a size, the shape of the image at the size of the model', async () => {
  await using app = imagesApp(taking)
  const size = async (image: string, extra: object = {}) => {
    await app.post('edits', { prompt: 'a', image: `https://images.test/${image}`, ...extra })
    const { width, height } = app.media.requests.at(-1)!
    return `${width}x${height}`
  }
  expect(await size('640x480')).toBe('128x96')
  expect(await size('4000x4000')).toBe('112x112')
  expect(await size('480x640')).toBe('96x128')
  expect(await size('100000x1')).toBe('448x32')
  expect(await size('640x480', { size: 'auto' })).toBe('128x96')
  expect(await size('640x480', { size: '64x64' })).toBe('64x64')
})

test('a form: one file, and texts that become numbers and truths', async () => {
  await using app = imagesApp(taking)
  const fields = { prompt: '42', image: cat, n: '2', size: '64x32', seed: '9', num_inference_steps: '3', guidance_scale: '2.5' }
  const more = { response_format: 'b64_json', output_format: 'jpeg', enable_teacache: 'true', enable_upscaling: 'false', user: '7' }
  const { status, body } = await app.post(
    'edits',
    form({ ...fields, ...more, cache_dit_params: '{"a":1}', 'nvext[negative_prompt]': 'fog' }),
  )
  expect(body.error).toBeUndefined()
  expect([status, body.data.length, body.output_format]).toEqual([200, 2, 'jpeg'])
  expect(app.media.requests[0]).toMatchObject({
    ...{ prompt: '42', outputs: 2, width: 64, height: 32, seed: 9, steps: 3, guidance: 2.5, negativePrompt: 'fog' },
    ...{ images: [new Uint8Array(cat)], extra: { enable_teacache: true, cache_dit_params: { a: 1 } } },
  })
  expect(body.usage.input_tokens_details).toEqual({ text_tokens: 0, image_tokens: 1200 })
})

test('a form: image[] with several files, image more than once, url[], nvext as JSON', async () => {
  await using app = imagesApp(taking)
  await app.post('edits', form({ prompt: 'a', 'image[]': [pngHead(1, 2), pngHead(3, 4)], 'url[]': ['https://images.test/5x6'] }))
  expect(app.media.requests[0]!.images).toEqual([pngHead(1, 2), pngHead(3, 4), pngHead(5, 6)])
  await app.post('edits', form({ prompt: 'a', image: [pngHead(1, 2), pngHead(3, 4)], nvext: '{"seed":5}' }))
  expect(app.media.requests[1]).toMatchObject({ images: [pngHead(1, 2), pngHead(3, 4)], seed: 5 })
})

test('a mask, for a model that takes one', async () => {
  await using app = imagesApp({ script: { info: { takesImages: true, takesMask: true } } })
  await app.post('edits', form({ prompt: 'a', image: cat, mask: cat }))
  expect(app.media.requests[0]!.mask).toEqual(new Uint8Array(cat))
  const { status, body } = await app.post('edits', form({ prompt: 'a', image: cat, mask: pngHead(1, 1) }))
  expect([status, body.error.param, body.error.message]).toEqual([400, 'mask', expect.stringContaining('1x1, but the image is 640x480')])
})

test("OpenAI's client sends files", async () => {
  await using app = imagesApp(taking)
  const made = await app.openai.images.edit({
    image: [await toFile(pngHead(1, 2), 'a.png'), await toFile(pngHead(3, 4), 'b.png')],
    ...{ prompt: 'both', n: 2, size: '128x128', output_compression: 80, output_format: 'webp', response_format: 'url' },
  })
  expect(made.data).toHaveLength(2)
  expect(made.data![0]!.url).toStartWith(`${app.url}/media/`)
  expect(app.media.requests[0]).toMatchObject({
    ...{ images: [pngHead(1, 2), pngHead(3, 4)], outputs: 2, format: { type: 'webp', compression: 80 } },
  })
})

test('who waits for an image to be fetched and leaves, is gone', async () => {
  const { promise, resolve } = Promise.withResolvers<AbortSignal>()
  const input = (_: unknown, __: string, signal: AbortSignal) => {
    resolve(signal)
    return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
  await using app = imagesApp({ ...taking, input })
  const leaving = new AbortController()
  const asked = app.post('edits', { prompt: 'a', image: base64 }, { signal: leaving.signal }).catch(() => {})
  await promise
  leaving.abort()
  await asked
  while (app.inFlight() > 0) await Bun.sleep(1)
  expect(app.media.requests).toHaveLength(0)
})
