// Images and videos from the running product with the real SGLang diffusion engine on CPU: pixels against those of SGLang's own API.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type OpenAI from 'openai'
import sharp from 'sharp'
import { need } from '../helpers/need.ts'
import { openai } from '../helpers/openai.ts'
import { eventually } from '../helpers/processes/start.ts'
import { bodyOf, type StartedMedia, startMedia } from '../helpers/processes/start-media.ts'
import { clipOf, pictureOf } from '../helpers/run-diffusion.ts'
import { diffusionArgs, diffusionEnv, diffusionPython, sglangsOwn, sha256, tinyPipeline } from '../helpers/sglang-diffusion.ts'

const present = need('SGLang diffusion on CPU (bun run sglang:setup)', diffusionPython() !== undefined)

/** A worker with the real engine; the mock's model path is overruled by the last one. */
function startReal(makes: 'image' | 'video'): Promise<StartedMedia> {
  const args = ['--engine', 'sglang', '--python', diffusionPython()!, ...diffusionArgs(tinyPipeline(makes))]
  return startMedia(makes, { args, env: diffusionEnv(), readySecs: 300 })
}

const post = (server: StartedMedia, path: string, body: object, init: RequestInit = {}) =>
  fetch(`${server.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...init })

describe.skipIf(!present)('images by SGLang', () => {
  const asked = pictureOf('a red cat', { seed: 11, outputs: 2 })
  const fields = { prompt: asked.prompt, size: `${asked.width}x${asked.height}`, n: asked.outputs, seed: asked.seed }
  const request = { ...fields, num_inference_steps: asked.steps, guidance_scale: asked.guidance }
  let expected: string[]
  let server: StartedMedia
  let client: OpenAI
  beforeAll(async () => {
    expected = (await sglangsOwn('image', [asked]))[0]!
    server = await startReal('image')
    client = openai(server)
  }, 600_000)
  afterAll(() => server?.stop(20_000))

  test('pixels are those of SGLang’s own API, bit by bit', async () => {
    const { data } = (await client.images.generate(request as never)) as OpenAI.ImagesResponse
    const pictures = await Promise.all(data!.map(async ({ url }) => (await fetch(url!)).bytes()))
    expect(await Promise.all(pictures.map(async (png) => sha256([await sharp(png).raw().toBuffer()])))).toEqual(expected)
  })

  test('a stream has previews of the engine’s own latents', async () => {
    const asked = { ...request, n: 1, num_inference_steps: 8, stream: true, partial_images: 3 }
    const stream = (await client.images.generate(asked as never)) as unknown as AsyncIterable<OpenAI.ImageGenStreamEvent>
    const events = await Array.fromAsync(stream)
    expect(events.map(({ type }) => type.split('.')[1])).toEqual(['partial_image', 'partial_image', 'partial_image', 'completed'])
    expect(new Set(events.map(({ b64_json }) => b64_json)).size).toBe(4)
  })

  test('who leaves frees the engine', async () => {
    const stop = new AbortController()
    const long = post(server, '/v1/images/generations', { ...request, n: 1, num_inference_steps: 1000 }, { signal: stop.signal })
    const steps = await server.metric('dynamo_component_media_steps_total')
    await eventually('it runs', async () => (await server.metric('dynamo_component_media_steps_total')) > steps + 3)
    stop.abort()
    await expect(long).rejects.toThrow()
    await eventually('the engine is free', async () => (await server.metric('dynamo_component_media_running_jobs')) === 0)
    expect((await post(server, '/v1/images/generations', { ...request, n: 1 })).status).toBe(200)
  }, 60_000)

  test('a size that the model cannot make is the client’s fault', async () => {
    const size = await post(server, '/v1/images/generations', { ...request, size: '100x100' })
    expect([size.status, (await bodyOf(size)).error.param]).toEqual([400, 'size'])
  })

  test('health is the engine’s own step', async () => {
    const health = await bodyOf(fetch(`${server.url}/health`))
    expect(health.workers[0]).toMatchObject({ healthy: true, engine: { kind: 'sglang', level: 'FluxPipeline' } })
  })
})

describe.skipIf(!present)('videos by SGLang', () => {
  let server: StartedMedia
  beforeAll(async () => {
    server = await startReal('video')
  }, 600_000)
  afterAll(() => server?.stop(20_000))

  test('a clip in the answer, a clip by a job, the same bytes for the same seed', async () => {
    const asked = clipOf('waves', { seed: 5 })
    const fields = { prompt: asked.prompt, size: `${asked.width}x${asked.height}`, num_frames: asked.frames, fps: asked.fps }
    const request = { ...fields, seed: 5, num_inference_steps: asked.steps }
    const body = await bodyOf(post(server, '/v1/videos', request))
    expect(body).toMatchObject({ status: 'completed', num_frames: asked.frames, seed: 5 })
    const job = await bodyOf(post(server, '/v1/videos', { ...request, background: true }))
    await eventually(
      'the job is done',
      async () => (await bodyOf(fetch(`${server.url}/v1/videos/${job.id}`))).status === 'completed',
      60_000,
    )
    const clip = await (await fetch(`${server.url}/v1/videos/${job.id}/content`)).bytes()
    expect(clip).toEqual(await (await fetch(body.data[0].url)).bytes())
  }, 120_000)
})
