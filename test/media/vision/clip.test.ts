// A user's clip to the frames that engines get: picked and sized by the model, named by what is seen.
import { describe, expect, test } from 'bun:test'
import { withClip } from '../../../src/media/input/clip/decode.ts'
import { usualClipLimits } from '../../../src/media/input/clip/limits.ts'
import { toModelPixels } from '../../../src/media/input/decode.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { type ClipReading, readClip, readFrames } from '../../../src/media/vision/clip.ts'
import { clipOf, dataUrl, hasFfmpeg } from '../../helpers/clips.ts'
import { pngOf } from '../../helpers/pictures.ts'
import { presetModel, sha256 } from './vectors.ts'

const models = { qwen2vl: presetModel('qwen2vl').clips!, qwen3vl: presetModel('qwen3vl').clips! }
const { signal } = new AbortController()
const reading = (more: Partial<ClipReading> = {}): ClipReading => ({
  model: models.qwen3vl,
  policy: defaultPolicy,
  limits: usualClipLimits,
  param: 'messages[0].content[0].video_url.url',
  signal,
  ...more,
})
const fault = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (thrown: { code: string; param: string; message: string }) => thrown,
  )

describe.skipIf(!hasFfmpeg())('by its address', () => {
  const file = hasFfmpeg() ? clipOf({ width: 320, height: 180, fps: 25, secs: 4 }) : new Uint8Array()

  test('two frames a second, in the size that the model begins with', async () => {
    const clip = await readClip(dataUrl(file), reading())
    expect(clip).toMatchObject({ total: 100, fps: 25, positions: [0, 14, 28, 42, 56, 70, 84, 99], secondsPerFrame: 0.5, chosen: false })
    expect(clip).toMatchObject({ width: 448, height: 252 })
    expect(clip.frames).toHaveLength(8)
    expect(clip.file).toBeUndefined()
    const first = await toModelPixels(clip.frames[0]!, 1e6, 'frame')
    expect([first.width, first.height]).toEqual([448, 252])
  })

  for (const [name, model] of Object.entries(models))
    test(`${name}: what the model makes of the small frames is what it makes of the large ones`, async () => {
      const clip = await readClip(dataUrl(file), reading({ model }))
      const small = await Promise.all(clip.frames.map(async (frame) => (await toModelPixels(frame, 1e6, 'frame')).data))
      const large: Uint8Array[] = []
      await withClip(file, { limits: usualClipLimits, maxPixels: 1e6, param: '', signal }, async ({ frames }) => {
        for await (const { rgb } of frames(clip.positions)) large.push(rgb)
      })
      const a = await model.preprocess(small, clip.width, clip.height, 'tv_u8')
      const b = await model.preprocess(large, 320, 180, 'tv_u8')
      expect(sha256(a.values)).toBe(sha256(b.values))
      expect(a.grid).toEqual(b.grid)
      expect(model.plan(8, clip.width, clip.height, '')).toEqual(model.plan(8, 320, 180, ''))
    })

  test('its name: the same for the same frames, another for other frames or times', async () => {
    const hashOf = async (bytes: Uint8Array, more: Partial<ClipReading> = {}) => (await readClip(dataUrl(bytes), reading(more))).hash
    const hash = await hashOf(file)
    expect(await hashOf(file)).toBe(hash)
    expect(await hashOf(clipOf({ width: 320, height: 180, fps: 25, secs: 4, source: 'testsrc2' }))).not.toBe(hash)
    expect(await hashOf(file, { wishes: { frames: 6 } })).not.toBe(hash)
  }, 30_000)

  test('frames as the client wants them', async () => {
    const clip = await readClip(dataUrl(file), reading({ wishes: { fps: 1 }, keepFile: true }))
    expect(clip).toMatchObject({ positions: [0, 33, 66, 99], secondsPerFrame: 1, chosen: true })
    expect(clip.file).toEqual(file)
    expect(await fault(readClip(dataUrl(file), reading({ wishes: { frames: 200 } })))).toMatchObject({
      code: 'invalid_value',
      param: 'messages[0].content[0].video_url.url',
      message: expect.stringContaining('has 100 frames, and the model reads an even number of them, 2 or more: 200 cannot be picked'),
    })
    const odd = fault(readClip(dataUrl(file), reading({ wishes: { frames: 1 } })))
    expect(await odd).toMatchObject({ message: expect.stringContaining('1, rounded to 0, cannot be picked') })
  })

  test("what becomes of it is told before more than a frame is looked at, with the size of the client's file", async () => {
    const clip = await readClip(dataUrl(file), reading())
    expect(clip.sent).toBe(file.length)
    let looked = 0
    const shrink: typeof models.qwen3vl.shrink = (...frame) => {
      looked++
      return models.qwen3vl.shrink(...frame)
    }
    const plan = models.qwen3vl.plan(8, 320, 180, '')
    const onPlan = (told: unknown) => {
      expect(told).toEqual(plan)
      throw new Error('too long')
    }
    expect(await fault(readClip(dataUrl(file), reading({ model: { ...models.qwen3vl, shrink }, onPlan })))).toMatchObject({
      message: 'too long',
    })
    expect(looked).toBe(1)
  })

  test('a file that is too large, an address that may not be asked, a clip that leaves', async () => {
    expect(await fault(readClip(dataUrl(file), reading({ limits: { ...usualClipLimits, maxBytes: 1000 } })))).toMatchObject({
      code: 'invalid_image',
      message: 'The clip at messages[0].content[0].video_url.url is larger than 0.001 MB, the most that is read.',
    })
    expect(await fault(readClip('http://127.0.0.1/clip.mp4', reading()))).toMatchObject({ code: 'invalid_value' })
    expect(await fault(readClip('file:///etc/passwd', reading()))).toMatchObject({ code: 'invalid_value' })
    expect(await fault(readClip(dataUrl(file), reading({ signal: AbortSignal.abort() })))).toMatchObject({ code: 'client_closed_request' })
  })
})

describe('as its frames', () => {
  const pictures = async (...sizes: [number, number][]) =>
    Promise.all(sizes.map(async ([w, h], i) => ({ url: dataUrl(await pngOf(w, h, i + 1), 'image/png'), param: `video[${i}]` })))

  test('each is looked at, at the rate that the client says', async () => {
    const clip = await readFrames(await pictures([64, 48], [64, 48], [64, 48]), reading({ wishes: { fps: 4 } }))
    expect(clip).toMatchObject({ total: 3, fps: 4, positions: [0, 1, 2], secondsPerFrame: 0.25, chosen: true, width: 392, height: 280 })
    expect(models.qwen3vl.seconds(clip.positions, clip.fps)).toEqual([0.125, 0.5])
  })

  test('a single one is looked at twice', async () => {
    const clip = await readFrames(await pictures([64, 48]), reading())
    expect(clip).toMatchObject({ total: 1, positions: [0, 0] })
    expect(clip.frames).toHaveLength(2)
    expect(models.qwen3vl.seconds(clip.positions, clip.fps)).toEqual([0])
  })

  test('frames of two sizes, or one that is no picture, are named', async () => {
    expect(await fault(readFrames(await pictures([64, 48], [48, 64]), reading()))).toMatchObject({
      code: 'invalid_image',
      param: 'video[1]',
    })
    const broken = [...(await pictures([64, 48])), { url: dataUrl(new Uint8Array(99), 'image/png'), param: 'video[1]' }]
    expect(await fault(readFrames(broken, reading()))).toMatchObject({ code: 'invalid_image', param: 'video[1]' })
  })

  test('together they are no larger than a clip may be', async () => {
    const limits = { ...usualClipLimits, maxBytes: 15_000 }
    expect(await fault(readFrames(await pictures([64, 48], [64, 48], [64, 48]), reading({ limits })))).toMatchObject({
      code: 'invalid_image',
      param: 'video[1]',
      message: expect.stringMatching(/^The frames of the clip at .* have more than 0.015 MB together.* at video\[1\]\.$/),
    })
  })

  test('together they have the time of one clip, and several are fetched at once', async () => {
    const png = await pngOf(64, 48, 1)
    let asked = 0
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch({ url, signal }) {
        asked++
        if (url.endsWith('slow')) await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return new Response(png)
      },
    })
    try {
      const policy = { ...defaultPolicy, allowInternal: true }
      const frames = (name: string) => Array.from({ length: 12 }, (_, i) => ({ url: `${server.url}${name}`, param: `video[${i}]` }))
      const clip = await readFrames(frames('fast'), reading({ policy }))
      expect(clip).toMatchObject({ total: 12, sent: 12 * png.length })
      asked = 0
      expect(await fault(readFrames(frames('slow'), reading({ policy, limits: { ...usualClipLimits, timeoutMs: 300 } })))).toMatchObject({
        code: 'invalid_image',
        param: 'messages[0].content[0].video_url.url',
        message: expect.stringContaining(
          'The 12 frames of the clip at messages[0].content[0].video_url.url were not read within 0.3 seconds',
        ),
      })
      expect(asked).toBe(5)
    } finally {
      await server.stop(true)
    }
  })
})
