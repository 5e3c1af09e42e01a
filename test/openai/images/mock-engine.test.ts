// The images API over the mock engine: real queue, real files, pictures that can be read back.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import sharp from 'sharp'
import { type MockDiffusion, mockDiffusion } from '../../../src/engine/mock/diffusion/engine.ts'
import { readPicture } from '../../../src/engine/mock/diffusion/picture.ts'
import { readInput } from '../../../src/media/input/input.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { type LocalMaker, localMaker } from '../../../src/pipeline/media/local-maker.ts'
import { mediaRegistry } from '../../../src/pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../../src/pipeline/media/pipeline.ts'
import { mediaEncoders } from '../../../src/serve/media/encoders.ts'
import { type ImagesApp, imagesApp } from '../../helpers/fakes/images-app.ts'

let engine: MockDiffusion
let maker: LocalMaker
let app: ImagesApp

beforeAll(async () => {
  engine = mockDiffusion({ modelPath: 'models/tiny-FLUX.1-dev', speedupRatio: 1e6, takesImages: true })
  await engine.start()
  maker = localMaker({ id: 'maker-1', engine, encoders: mediaEncoders({ ffmpeg: null, encoder: undefined }) })
  const registry = mediaRegistry()
  registry.add({ id: 'tiny-flux', aliases: [], createdSecs: 1, makes: 'image' }, [maker])
  const input = (source: { url: string } | { bytes: Uint8Array }, param: string, signal: AbortSignal) =>
    readInput(source, defaultPolicy, param, signal)
  app = imagesApp({ media: mediaPipeline(registry), input })
})

afterAll(async () => {
  await app[Symbol.asyncDispose]()
  maker.close()
  await engine.stop(0)
})

const ask = { prompt: 'a cat', size: '128x96', num_inference_steps: 4, response_format: 'b64_json' }
const bytesOf = (one: { b64_json?: string }) => Buffer.from(one.b64_json!, 'base64')

async function marksOf(file: Uint8Array) {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return { ...readPicture(new Uint8Array(data), info.width, info.height), size: `${info.width}x${info.height}` }
}

test('the same request and seed give the same bytes; n pictures have n seeds', async () => {
  const one = await app.post('generations', { ...ask, n: 3, seed: 70 })
  const other = await app.post('generations', { ...ask, n: 3, seed: 70 })
  expect(one.status).toBe(200)
  expect(other.body.data).toEqual(one.body.data)
  expect(one.headers.get('x-worker-id')).toBe('maker-1')
  const marks = await Promise.all(one.body.data.map((image: { b64_json: string }) => marksOf(bytesOf(image))))
  expect(marks.map(({ seed, steps, size }) => [seed, steps, size])).toEqual([
    [70, 4, '128x96'],
    [71, 4, '128x96'],
    [72, 4, '128x96'],
  ])
})

test('every format holds the picture', async () => {
  for (const output_format of ['png', 'jpeg', 'webp'] as const) {
    const { body } = await app.post('generations', { ...ask, output_format, output_compression: 80, seed: 5 })
    const file = bytesOf(body.data[0])
    expect((await sharp(file).metadata()).format).toBe(output_format)
    expect(await marksOf(file)).toMatchObject({ seed: 5, steps: 4 })
  }
})

test('what is kept can be fetched, with its type', async () => {
  const { body } = await app.post('generations', { ...ask, response_format: 'url', output_format: 'jpeg', seed: 6 })
  const path = new URL(body.data[0].url).pathname
  expect(path).toEndWith('.jpg')
  const { bytes, contentType } = app.store.files.get(path.slice('/media/'.length))!
  expect(contentType).toBe('image/jpeg')
  expect(await marksOf(bytes)).toMatchObject({ seed: 6 })
})

test("previews in OpenAI's client are pictures, half as large", async () => {
  const stream = await app.openai.images.generate({
    ...ask,
    response_format: 'b64_json',
    stream: true,
    partial_images: 3,
    size: '128x96',
  } as never)
  const seen: string[] = []
  for await (const event of stream as unknown as AsyncIterable<{ type: string; b64_json: string; size: string }>) {
    const { width, height, format } = await sharp(bytesOf(event)).metadata()
    expect(`${width}x${height}`).toBe(event.size)
    seen.push(`${event.type} ${format} ${event.size}`)
  }
  expect(seen).toEqual([...Array(3).fill('image_generation.partial_image png 64x48'), 'image_generation.completed png 128x96'])
})

test("an edit from OpenAI's client: the file is read, turned upright, and changes the picture", async () => {
  const file = async (red: number) => {
    const made = sharp({ create: { width: 60, height: 90, channels: 3, background: { r: red, g: 0, b: 0 } } })
    return new File([new Uint8Array(await made.withMetadata({ orientation: 6 }).jpeg().toBuffer())], 'a.jpg', { type: 'image/jpeg' })
  }
  const edit = async (red: number) => {
    const seed = { seed: 9, num_inference_steps: 4 }
    const made = await app.openai.images.edit({ image: await file(red), prompt: 'a hat', response_format: 'b64_json', ...seed } as never)
    return (made as unknown as { data: { b64_json: string }[]; size: string }) ?? {}
  }
  const one = await edit(10)
  expect((await marksOf(bytesOf(one.data[0]!))).seed).toBe(9)
  const [width, height] = one.size.split('x').map(Number)
  // Sixty by ninety, on its side.
  expect(width! / height!).toBeCloseTo(1.5, 1)
  expect((await edit(10)).data).toEqual(one.data)
  expect((await edit(200)).data).not.toEqual(one.data)
})

test('images that cannot be read, or may not be', async () => {
  const cases: [unknown, string][] = [
    ['data:image/png;base64,aGVsbG8gaGVsbG8gaGVsbG8=', 'invalid_image'],
    ['http://127.0.0.1:1/x.png', 'invalid_value'],
    ['https://169.254.169.254/latest/meta-data', 'invalid_value'],
    ['file:///etc/passwd', 'invalid_value'],
    ['ftp://a/b', 'invalid_value'],
    ['https://', 'invalid_value'],
  ]
  for (const [image, code] of cases) {
    const { status, body } = await app.post('edits', { prompt: 'a', image })
    expect([image, status, body.error.code, body.error.param]).toEqual([image, 400, code, 'image'])
  }
})

test('64 at once are all answered, each with its own picture', async () => {
  const seeds = Array.from({ length: 64 }, (_, i) => 1000 + i)
  const made = await Promise.all(seeds.map((seed) => app.post('generations', { ...ask, seed, num_inference_steps: 2, size: '64x64' })))
  expect(made.map(({ status }) => status)).toEqual(Array(64).fill(200))
  const marks = await Promise.all(made.map(({ body }) => marksOf(bytesOf(body.data[0]))))
  expect(marks.map(({ seed }) => seed)).toEqual(seeds)
})

test('clients that leave at any moment leave no work and no file', async () => {
  const before = app.store.files.size
  for (let i = 0; i < 40; i++) {
    const leaving = new AbortController()
    const body = { ...ask, response_format: 'url', stream: i % 2 === 0, partial_images: i % 2 === 0 ? 2 : 0, num_inference_steps: 30, n: 2 }
    const asked = app.post('generations', body, { signal: leaving.signal }).catch(() => {})
    await Bun.sleep(i % 20)
    leaving.abort()
    await asked
  }
  while (app.inFlight() > 0 || maker.pending() > 0) await Bun.sleep(1)
  expect(engine.held()).toBe(0)
  const after = app.lines.filter(({ ending }) => ending === 'disconnect').length
  expect(after).toBeGreaterThan(0)
  // Some were done before they left: of those all files are there, and the note.
  expect((app.store.files.size - before) % 3).toBe(0)
  expect((await app.post('generations', ask)).status).toBe(200)
})
