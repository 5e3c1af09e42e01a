// POST /v1/videos with the clip in the answer: Dynamo's shape, its extension, several clips, images to start from, and failures that are none of 200.
import { describe, expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { videoAnswer } from '../../../src/openai/schema/videos.ts'
import type { VideosApi } from '../../../src/openai/videos/api.ts'
import type { MediaListener, MediaRequest } from '../../../src/pipeline/media/media.ts'
import { clipBytes, scriptedClips } from '../../helpers/fakes/clips.ts'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { videosApp } from '../../helpers/fakes/videos-app.ts'

const cat = { model: 'filmer', prompt: 'a cat' }

describe('the whole answer', () => {
  test('has the clip behind a URL, in Dynamo’s shape and OpenAI’s', async () => {
    await using app = videosApp()
    const { status, headers, body } = await app.post({ ...cat, nvext: { seed: 7 } })
    expect([status, headers.get('x-worker-id')]).toEqual([200, 'maker-0'])
    expect(videoAnswer.parse(body)).toEqual(body)
    expect(body).toMatchObject({
      object: 'video',
      model: 'filmer',
      status: 'completed',
      progress: 100,
      inference_time_s: 1.5,
      seed: 7,
      size: '832x480',
    })
    expect(body.id).toMatch(/^video-[0-9a-f]{32}$/)
    expect(body.data).toEqual([
      { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/media\/videos\/video-\w+\.mp4$/), output_format: 'mp4', fps: 16 },
    ])
    expect(await (await fetch(body.data[0].url)).text()).toBe(clipBytes(7, 0))
    expect(app.lines.at(-1)).toMatchObject({ status: 200, worker: 'maker-0' })
    expect(app.inFlight()).toBe(0)
  })

  test('has it inside when asked, and then nothing is stored', async () => {
    await using app = videosApp()
    const { body } = await app.post({ ...cat, response_format: 'b64_json', seed: 3 })
    expect(videoAnswer.parse(body)).toEqual(body)
    expect(Buffer.from(body.data[0].b64_json, 'base64').toString()).toBe(clipBytes(3, 0))
    expect(app.store.files.size).toBe(0)
  })

  test('can be asked for later like a job', async () => {
    await using app = videosApp()
    const { body } = await app.post({ ...cat, seed: 9 })
    const later = await app.send('GET', `/${body.id}`)
    const { created, ...job } = body
    expect(later.body).toEqual(job)
    expect((await app.send('GET', `/${body.id}/content`)).body).toBe(clipBytes(9, 0))
    expect((await app.send('DELETE', `/${body.id}`)).body).toEqual({ id: body.id, object: 'video.deleted', deleted: true })
    expect(app.store.files.size).toBe(0)
  })

  test('has as many clips as asked for', async () => {
    await using app = videosApp()
    const { body } = await app.post({ ...cat, n: 3, seed: 20 })
    const texts = await Promise.all(body.data.map(async ({ url }: { url: string }) => (await fetch(url)).text()))
    expect(texts).toEqual([clipBytes(20, 0), clipBytes(20, 1), clipBytes(20, 2)])
  })

  test('says what is to be known of the file', async () => {
    await using app = videosApp({ script: { note: 'no ffmpeg: an animated WebP' } })
    expect((await app.post(cat)).body.data[0].note).toBe('no ffmpeg: an animated WebP')
  })
})

describe('what reaches the engine', () => {
  type Case = [name: string, body: object, expected: object]
  const cases: Case[] = [
    [
      'nothing but a prompt',
      {},
      { model: 'filmer', outputs: 1, frames: 81, fps: 16, format: { type: 'mp4' }, partials: 0, images: [], extra: {} },
    ],
    [
      'Dynamo’s nvext',
      {
        size: '640x480',
        nvext: { fps: 8, num_frames: 17, negative_prompt: 'dogs', num_inference_steps: 5, guidance_scale: 0, seed: 1, boundary_ratio: 0.9 },
      },
      {
        width: 640,
        height: 480,
        frames: 17,
        fps: 8,
        negativePrompt: 'dogs',
        steps: 5,
        guidance: 0,
        seed: 1,
        extra: { boundary_ratio: 0.9 },
      },
    ],
    [
      'the same beside the prompt',
      { width: 320, height: 176, fps: 8, num_frames: 1, seed: 4_000_000_000 },
      { width: 320, height: 176, frames: 1, seed: 4e9 },
    ],
    ['nvext before what stands beside it', { seed: 1, fps: 8, nvext: { seed: 2 } }, { seed: 2, fps: 8 }],
    ['seconds, to the nearest number of frames', { seconds: 2, fps: 8 }, { frames: 17 }],
    ['seconds as OpenAI writes them', { seconds: '4' }, { frames: 65 }],
    ['less than a frame', { seconds: 0.001 }, { frames: 1 }],
    ['num_frames before seconds', { seconds: '4', num_frames: 5 }, { frames: 5 }],
    [
      'SGLang’s extras',
      { flow_shift: 5, true_cfg_scale: 2, guidance_scale_2: 3 },
      { extra: { flow_shift: 5, true_cfg_scale: 2, guidance_scale_2: 3 } },
    ],
    ['no model: the first', { model: null }, { model: 'filmer' }],
    ['another name of the model', { model: 'org/filmer' }, { model: 'filmer' }],
  ]
  test.each(cases)('%s', async (_name, body, expected) => {
    await using app = videosApp()
    const { status } = await app.post({ ...cat, ...body })
    expect([status, app.clips.requests[0]!]).toEqual([200, expect.objectContaining(expected) as never])
  })

  test('the answer tells the length as it was asked for', async () => {
    await using app = videosApp()
    const seconds = async (more: object) => (await app.post({ ...cat, ...more })).body.seconds
    expect([await seconds({}), await seconds({ seconds: '4' }), await seconds({ num_frames: 17, fps: 8 })]).toEqual(['5.063', '4', '2.125'])
  })
})

describe('an image to start from', () => {
  test.each<[string, object]>([
    ['by its address', { input_reference: 'https://images.test/640x640' }],
    ['in an object, as OpenAI writes it', { input_reference: { image_url: 'https://images.test/640x640' } }],
    ['by SGLang’s name', { reference_url: 'https://images.test/640x640' }],
    ['as base64', { input_reference: Buffer.from(pngHead(640, 640)).toString('base64') }],
  ])('%s gives the clip its shape, with as many pixels as the model’s', async (_name, body) => {
    await using app = videosApp()
    const { body: answer } = await app.post({ ...cat, ...body })
    expect(answer.size).toBe('624x624')
    expect(app.clips.requests[0]!.images).toHaveLength(1)
  })

  test('a size that was asked for stays', async () => {
    await using app = videosApp()
    expect((await app.post({ ...cat, size: '832x480', input_reference: 'https://images.test/640x640' })).body.size).toBe('832x480')
  })

  test('a model without a use for it refuses it before it is fetched', async () => {
    let fetched = 0
    const input = async () => pngHead(16, 16 + fetched++)
    await using app = videosApp({ script: { info: { takesImages: false } }, input })
    const { status, body } = await app.post({ ...cat, input_reference: 'https://images.test/640x640' })
    expect([status, body.error.code, body.error.param, fetched]).toEqual([400, 'unsupported_parameter', 'input_reference', 0])
  })
})

describe('failures', () => {
  const failing = (code: 'out_of_memory' | 'engine_rejected' | 'engine_unavailable', after: number) =>
    videosApp({ script: { fail: { after, error: new AppError(code, { message: 'Because.' }) } } })
  test.each([
    ['out_of_memory', 2, 500],
    ['engine_rejected', 0, 400],
    ['engine_unavailable', 0, 503],
  ] as const)('%s after %i steps is %i, never 200', async (code, after, expected) => {
    await using app = failing(code, after)
    const { status, body } = await app.post(cat)
    expect([status, body.error.code, body.error.message]).toEqual([expected, code, 'Because.'])
    expect(app.store.files.size).toBe(0)
  })

  test('a full store fails the request and keeps none of its clips', async () => {
    await using app = videosApp()
    app.store.failAfter = 1
    const { status, body } = await app.post({ ...cat, n: 2 })
    expect([status, body.error.code, app.store.files.size]).toEqual([507, 'storage_failed', 0])
  })

  test('a client that leaves ends the work before its next step', async () => {
    await using app = videosApp({ script: { hangAt: 2 } })
    const leave = new AbortController()
    const asked = app.post(cat, { signal: leave.signal }).catch(() => 'left')
    while (app.clips.steps < 1) await Bun.sleep(1)
    leave.abort()
    expect(await asked).toBe('left')
    while (app.clips.inside > 0) await Bun.sleep(1)
    expect([app.clips.aborted, app.clips.steps]).toEqual([1, 1])
  })
})

describe('a client that leaves when the work is done', () => {
  test('is told as gone in the log, not as answered', async () => {
    const leave = new AbortController()
    const clips = scriptedClips()
    const media = {
      ...clips,
      async make(request: MediaRequest, _listener: MediaListener, signal: AbortSignal) {
        const made = await clips.make(request, {}, new AbortController().signal)
        leave.abort()
        while (!signal.aborted) await Bun.sleep(1)
        return made
      },
    }
    await using app = videosApp({ media })
    await app.post({ ...cat, response_format: 'b64_json' }, { signal: leave.signal }).catch(() => {})
    while (app.lines.length === 0) await Bun.sleep(1)
    expect(app.lines).toMatchObject([{ status: 499, ending: 'disconnect', worker: 'maker-0' }])
  })

  test('and the work is a job that was only ordered: the same, and the job goes on', async () => {
    const leave = new AbortController()
    let connection: AbortSignal | undefined
    const input: VideosApi['input'] = async (_source, _param, signal) => {
      connection = signal
      return pngHead(64, 64)
    }
    await using app = videosApp({ input })
    const create = app.jobs.create.bind(app.jobs)
    app.jobs.create = async (order) => {
      const job = await create(order)
      leave.abort()
      while (connection?.aborted !== true) await Bun.sleep(1)
      return job
    }
    await app.post({ ...cat, background: true, input_reference: 'https://images.test/64x64' }, { signal: leave.signal }).catch(() => {})
    while (app.lines.length === 0) await Bun.sleep(1)
    expect(app.lines).toMatchObject([{ status: 499, ending: 'disconnect' }])
    while (app.jobs.counts().completed === 0) await Bun.sleep(1)
  })
})

describe('files of a user', () => {
  test.each(['../../etc/passwd', '/abs', 'a/b\\c', '..', '%2e%2e', 'ü'.repeat(99)])('%p lies in one folder of its own', async (user) => {
    await using app = videosApp()
    await app.post({ ...cat, user })
    expect([...app.store.files.keys()][0]).toMatch(/^users\/[\w-][\w.-]*\/generations\/video-[0-9a-f]{32}\/0\.mp4$/)
  })
})
