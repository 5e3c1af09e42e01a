// The videos routes over the mock engine, its queue, the real encoders and the real reader of users' images: what comes out is a video that plays.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { latentPreview } from '../../../kernels/latent-preview/kernel.ts'
import { type MockDiffusion, mockDiffusion } from '../../../src/engine/mock/diffusion/engine.ts'
import { encodeImage } from '../../../src/media/image/encode.ts'
import { readInput } from '../../../src/media/input/input.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { startClip } from '../../../src/media/video/clip.ts'
import { yuv420ToRgb } from '../../../src/media/video/yuv-to-rgb.ts'
import type { VideosApi } from '../../../src/openai/videos/api.ts'
import { hasEnded } from '../../../src/pipeline/media/jobs/job.ts'
import { localMaker } from '../../../src/pipeline/media/local-maker.ts'
import { mediaRegistry } from '../../../src/pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../../src/pipeline/media/pipeline.ts'
import { type VideosApp, videosApp } from '../../helpers/fakes/videos-app.ts'
import { need } from '../../helpers/need.ts'
import { random } from '../../helpers/random.ts'

const ffmpeg = need('ffmpeg and ffprobe', Bun.which('ffmpeg') !== null && Bun.which('ffprobe') !== null)
// A clip costs ffmpeg most of a second of a busy core.
setDefaultTimeout(60_000)
const folder = mkdtempSync(join(tmpdir(), 'dyn-real-videos-'))
afterAll(() => rmSync(folder, { recursive: true }))

const small = { prompt: 'a cat', size: '64x48', num_frames: 9, fps: 8, num_inference_steps: 3 }

interface Real extends VideosApp {
  engine: MockDiffusion
}

async function real(options: { withFfmpeg?: boolean; failure?: string; speedupRatio?: number; takesImages?: boolean } = {}): Promise<Real> {
  const { withFfmpeg = true, speedupRatio = 1e6, ...more } = options
  const engine = mockDiffusion({ modelPath: 'models/tiny-Wan2.1-T2V-1.3B', speedupRatio, ...more })
  await engine.start()
  const registry = mediaRegistry()
  const maker = localMaker({
    id: 'maker-0',
    engine,
    encoders: {
      image: encodeImage,
      clip: (shape) => startClip({ ...shape, ...(withFfmpeg ? {} : { ffmpeg: null }) }),
      preview: latentPreview,
      toRgb: (yuv, { width, height }) => yuv420ToRgb(yuv, width, height),
    },
  })
  registry.add({ id: 'wan', aliases: [], createdSecs: 1, makes: 'video' }, [maker])
  const input: VideosApi['input'] = (source, param, signal) => readInput(source, defaultPolicy, param, signal)
  const app = videosApp({ media: mediaPipeline(registry), input })
  const dispose = app[Symbol.asyncDispose]
  return Object.assign(app, {
    engine,
    async [Symbol.asyncDispose]() {
      await dispose()
      maker.close()
      await engine.stop(0)
    },
  })
}

/** What ffprobe says of the video stream. */
async function probe(bytes: Uint8Array): Promise<Record<string, string>> {
  const path = join(folder, `${crypto.randomUUID()}.mp4`)
  await Bun.write(path, bytes)
  const asked = 'stream=width,height,r_frame_rate,nb_read_frames,color_space,color_range,pix_fmt'
  const done = Bun.spawnSync([
    'ffprobe',
    '-v',
    'error',
    '-count_frames',
    '-select_streams',
    'v:0',
    '-show_entries',
    asked,
    '-of',
    'json',
    path,
  ])
  return JSON.parse(done.stdout.toString()).streams[0]
}

const idle = async (app: Real) => {
  while (app.engine.inFlight() > 0) await Bun.sleep(1)
}

describe.if(ffmpeg)('with ffmpeg', () => {
  let app: Real
  beforeAll(async () => {
    app = await real()
  })
  afterAll(() => app[Symbol.asyncDispose]())

  test('an MP4 of the size, length and rate that were asked for', async () => {
    const { status, body } = await app.post({ ...small, model: 'wan', seed: 1 })
    expect([status, body.status, body.num_frames, body.size]).toEqual([200, 'completed', 9, '64x48'])
    const response = await fetch(body.data[0].url)
    expect(await probe(await response.bytes())).toMatchObject({
      width: 64,
      height: 48,
      nb_read_frames: '9',
      r_frame_rate: '8/1',
      color_space: 'bt709',
    })
  })

  test('same request and seed, same bytes; another seed, others', async () => {
    const clip = async (seed: number) => (await app.post({ ...small, seed, response_format: 'b64_json' })).body.data[0].b64_json
    const [a, b, c] = [await clip(5), await clip(5), await clip(6)]
    expect([a === b, a === c]).toEqual([true, false])
  })

  test('several clips have the seeds that follow one another', async () => {
    const clips = async (seed: number, n: number) =>
      (await app.post({ ...small, seed, n, response_format: 'b64_json' })).body.data.map((one: { b64_json: string }) => one.b64_json)
    expect(await clips(8, 3)).toEqual([...(await clips(8, 1)), ...(await clips(9, 1)), ...(await clips(10, 1))])
  })

  test('a job of the official client, downloaded in two parts', async () => {
    const { id } = await app.openai.videos.create({ ...small, size: '64x48' as never, model: 'wan' })
    while (!hasEnded(app.jobs.get(id))) await Bun.sleep(2)
    const whole = await (await app.openai.videos.downloadContent(id)).bytes()
    const part = async (range: string) => (await fetch(`${app.url}/v1/videos/${id}/content`, { headers: { range } })).bytes()
    expect(Buffer.concat([await part('bytes=0-999'), await part('bytes=1000-')])).toEqual(Buffer.from(whole))
    expect(await probe(whole)).toMatchObject({ nb_read_frames: '9' })
  })

  test('progress and previews as events', async () => {
    const { body } = await app.post({ ...small, num_inference_steps: 8, stream: true, partial_images: 2 })
    const events = (body as string)
      .split('\n\n')
      .filter((block) => block.startsWith('data: {'))
      .map((block) => JSON.parse(block.slice(6)))
    const previews = events.flatMap((event) => (event.partial === undefined ? [] : [event.partial]))
    expect(previews.map((one) => [one.partial_image_index, one.output_format])).toEqual([
      [0, 'jpg'],
      [1, 'jpg'],
    ])
    for (const one of previews) expect(Buffer.from(one.b64_json, 'base64').subarray(0, 3).toString('hex')).toBe('ffd8ff')
    expect(events.at(-1).status).toBe('completed')
  })

  test('frames as they are made, each a JPEG', async () => {
    const response = await fetch(`${app.url}/v1/videos/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...small, seed: 4 }),
    })
    const text = Buffer.from(await response.bytes()).toString('latin1')
    const parts = text.split('--frame\r\n').slice(1)
    expect(parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4).slice(0, 3))).toEqual(new Array(9).fill('\xff\xd8\xff'))
    expect(text.endsWith('\xff\xd9\r\n--frame--\r\n')).toBe(true)
  })

  test('a hundred jobs cancelled at random: no file, no frame held, the next is fine', async () => {
    const slow = await real({ speedupRatio: 3 })
    await using _ = slow
    const draw = random(3)
    const done = new Set<string>()
    for (let i = 0; i < 100; i++) {
      const { id } = (await slow.post({ ...small, background: true, seed: i })).body
      await Bun.sleep(draw(12))
      if ((await slow.send('POST', `/${id}/cancel`)).body.status === 'completed') done.add(id)
    }
    await idle(slow)
    expect((await slow.post({ ...small, seed: 1000 })).status).toBe(200)
    expect([slow.engine.held(), slow.store.files.size]).toEqual([0, done.size + 1])
    expect(done.size).toBeLessThan(100)
  })
})

describe('without ffmpeg', () => {
  test('64 jobs at once are all answered, one after the other', async () => {
    await using app = await real({ withFfmpeg: false })
    const ids = await Promise.all(
      Array.from({ length: 64 }, async (_, seed) => (await app.post({ ...small, background: true, seed })).body.id as string),
    )
    while (!ids.every((id) => hasEnded(app.jobs.get(id)))) await Bun.sleep(5)
    expect(new Set(ids.map((id) => app.jobs.get(id).status))).toEqual(new Set(['completed']))
    expect(app.engine.held()).toBe(0)
  })

  test('an animated WebP that says so', async () => {
    await using app = await real({ withFfmpeg: false })
    const { body } = await app.post(small)
    expect(body.data[0]).toMatchObject({ output_format: 'webp', note: expect.stringContaining('ffmpeg') })
    const response = await app.send('GET', `/${body.id}/content`)
    expect(response.headers.get('content-type')).toBe('image/webp')
  })
})

describe('an engine that fails', () => {
  test('a crash: its job says so, a later one is fine', async () => {
    await using app = await real({ failure: 'crash-after=5,restart=30', withFfmpeg: false })
    const run = async () => {
      const { id } = (await app.post({ ...small, background: true })).body
      while (!hasEnded(app.jobs.get(id))) await Bun.sleep(1)
      return app.jobs.get(id)
    }
    expect((await run()).status).toBe('completed')
    const failed = await run()
    expect([failed.status, failed.error?.code, failed.files]).toEqual(['failed', 'engine_failed', []])
    while (!app.engine.ready) await Bun.sleep(5)
    expect((await run()).status).toBe('completed')
  })

  test('out of memory: that job says so, the next is fine', async () => {
    await using app = await real({ failure: 'oom-every=2', withFfmpeg: false })
    const run = async () => {
      const { id } = (await app.post({ ...small, background: true })).body
      while (!hasEnded(app.jobs.get(id))) await Bun.sleep(1)
      const job = app.jobs.get(id)
      return job.error?.code ?? job.status
    }
    expect([await run(), await run(), await run()]).toEqual(['completed', 'out_of_memory', 'completed'])
    expect(app.engine.held()).toBe(0)
  })
})

describe('an image to start from', () => {
  let app: Real
  let png: Uint8Array<ArrayBuffer>
  beforeAll(async () => {
    app = await real({ takesImages: true, withFfmpeg: false })
    const rgb = new Uint8Array(40 * 30 * 3).fill(200)
    png = new Uint8Array((await encodeImage(rgb, { width: 40, height: 30 }, { type: 'png' })).bytes)
  })
  afterAll(() => app[Symbol.asyncDispose]())

  test('as a file of a form and as a data URL make the same clip', async () => {
    const form = new FormData()
    const fields = { ...small, seed: 2, response_format: 'b64_json', background: false }
    for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
    form.append('input_reference', new File([png], 'start.png', { type: 'image/png' }))
    const url = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
    const [a, b] = [await app.post(form), await app.post({ ...fields, input_reference: { image_url: url } })]
    const without = await app.post(fields)
    expect([a.status, b.status, without.status]).toEqual([200, 200, 200])
    expect(a.body.data[0].b64_json).toBe(b.body.data[0].b64_json)
    expect(a.body.data[0].b64_json).not.toBe(without.body.data[0].b64_json)
  })

  test.each<[input: string, code: string]>([
    ['http://169.254.169.254/latest/meta-data', 'invalid_value'],
    ['https://127.0.0.1/x.png', 'invalid_value'],
    ['https://[::1]/x.png', 'invalid_value'],
    ['file:///etc/passwd', 'invalid_value'],
    ['ftp://example.org/x.png', 'invalid_value'],
    ['data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAA', 'invalid_image'],
    ['data:text/html,<b>', 'invalid_value'],
  ])('%s is refused before a job is made', async (input, code) => {
    const { status, body } = await app.post({ ...small, background: true, input_reference: input })
    expect([status, body.error.code, body.error.param]).toEqual([400, code, 'input_reference'])
    expect(app.jobs.counts().queued).toBe(0)
  })
})
