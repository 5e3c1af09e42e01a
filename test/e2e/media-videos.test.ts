// Videos from the running product: OpenAI's jobs by the official npm client, Dynamo's answers by plain requests. The mock engine films them.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type OpenAI from 'openai'
import { openai } from '../helpers/openai.ts'
import { eventually } from '../helpers/processes/start.ts'
import { bodyOf, type StartedMedia, startMedia } from '../helpers/processes/start-media.ts'

/** Servers start several times here, on machines that have other things to do. */
setDefaultTimeout(60_000)

let server: StartedMedia
let client: OpenAI
beforeAll(async () => {
  server = await startMedia('video')
  client = openai(server)
})
afterAll(() => server?.stop())

const small = { prompt: 'Waves', size: '128x96' as never, num_frames: 9, num_inference_steps: 4 }
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })

/** ffmpeg makes MP4; without it the product makes animated WebP. */
const isClip = (type: string | null) => type === 'video/mp4' || type === 'image/webp'

describe('Dynamo’s way', () => {
  test('the answer has the address of the clip', async () => {
    const answer = await post('/v1/videos', { model: server.model, ...small, nvext: { fps: 8, seed: 3 } })
    expect(answer.headers.get('x-worker-id')).toBe('mock-0')
    const body = await bodyOf(answer)
    expect(body).toMatchObject({ object: 'video', status: 'completed', progress: 100, num_frames: 9, fps: 8, seed: 3 })
    const clip = await fetch(body.data[0].url)
    expect(isClip(clip.headers.get('content-type'))).toBe(true)
    const again = await bodyOf(post('/v1/videos', { model: server.model, ...small, nvext: { fps: 8, seed: 3 } }))
    expect(await (await fetch(again.data[0].url)).bytes()).toEqual(await clip.bytes())
  })

  test('a stream tells the progress, then the clip', async () => {
    const text = await (await post('/v1/videos', { ...small, stream: true, response_format: 'b64_json' })).text()
    const events = text
      .trim()
      .split('\n\n')
      .map((event) => event.replace(/^data: /, ''))
    expect(events.at(-1)).toBe('[DONE]')
    const bodies = events.slice(0, -1).map((event) => JSON.parse(event))
    expect(bodies.length).toBeGreaterThan(1)
    expect(bodies.at(-1)).toMatchObject({ status: 'completed', progress: 100 })
    expect(bodies.at(-1).data[0].b64_json.length).toBeGreaterThan(100)
    const progress = bodies.map((body) => body.progress)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
  })

  test('the frames as JPEGs, for <img>', async () => {
    const answer = await post('/v1/videos/stream', small)
    expect(answer.headers.get('content-type')).toBe('multipart/x-mixed-replace; boundary=frame')
    const body = Buffer.from(await answer.bytes()).toString('latin1')
    expect(body.match(/--frame\r\nContent-Type: image\/jpeg\r\n/g)).toHaveLength(9)
  })

  test('what the model cannot make is refused with what it can', async () => {
    const answer = await post('/v1/videos', { ...small, num_frames: 10 })
    expect(answer.status).toBe(400)
    expect((await bodyOf(answer)).error).toMatchObject({ param: 'num_frames', message: expect.stringContaining('9 and 13') })
  })
})

describe('OpenAI’s jobs', () => {
  test('create, poll, download, list, delete', async () => {
    const job = await client.videos.create({
      ...small,
      model: server.model as never,
      seconds: '1' as never,
      num_frames: undefined,
    } as never)
    expect(job.object).toBe('video')
    expect(job.id).toMatch(/^video_[0-9a-f]{32}$/)
    await eventually('the job is done', async () => (await client.videos.retrieve(job.id)).status === 'completed')
    const clip = await client.videos.downloadContent(job.id)
    expect(isClip(clip.headers.get('content-type'))).toBe(true)
    const bytes = await clip.bytes()
    const part = await fetch(`${server.url}/v1/videos/${job.id}/content`, { headers: { range: 'bytes=4-7' } })
    expect([part.status, await part.bytes()]).toEqual([206, bytes.slice(4, 8)])
    expect((await Array.fromAsync(client.videos.list())).map(({ id }) => id)).toContain(job.id)
    expect(await client.videos.delete(job.id)).toMatchObject({ deleted: true })
    expect((await fetch(`${server.url}/v1/videos/${job.id}`)).status).toBe(404)
  })

  test('JSON asks for a job by "background" or Prefer', async () => {
    for (const [more, headers] of [[{ background: true }, {}] as const, [{}, { prefer: 'respond-async' }] as const]) {
      const body = await bodyOf(post('/v1/videos', { ...small, ...more }, headers))
      expect(body.id).toMatch(/^video_/)
      await eventually('it is done', async () => (await bodyOf(fetch(`${server.url}/v1/videos/${body.id}`))).status === 'completed')
    }
  })

  test('what of OpenAI’s API the models cannot do says so', async () => {
    const remix = await post('/v1/videos/video_x/remix', { prompt: 'x' })
    expect([remix.status, (await bodyOf(remix)).error.code]).toEqual([400, 'unsupported_parameter'])
  })
})

test('a job is cancelled within a step; a job that its server leaves behind has failed, and others are as they were', async () => {
  const first = await startMedia('video', { args: ['--speedup-ratio', '1'] })
  const create = async (more: object) => {
    const body = JSON.stringify({ ...small, background: true, ...more })
    return (await bodyOf(fetch(`${first.url}/v1/videos`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }))).id
  }
  const status = async (at: StartedMedia, id: string) => (await bodyOf(fetch(`${at.url}/v1/videos/${id}`))).status
  const cancelled = await create({ num_inference_steps: 1000 })
  await eventually('it runs', async () => (await status(first, cancelled)) === 'in_progress')
  expect((await bodyOf(fetch(`${first.url}/v1/videos/${cancelled}/cancel`, { method: 'POST' }))).status).toBe('cancelled')
  await eventually('the engine is free', async () => (await first.metric('dynamo_component_media_running_jobs')) === 0)
  const done = await create({ num_inference_steps: 1 })
  await eventually('it is done', async () => (await status(first, done)) === 'completed')
  const left = await create({ num_inference_steps: 1000 })
  await eventually('it runs', async () => (await status(first, left)) === 'in_progress')
  process.kill(first.pid, 'SIGKILL')
  const second = await startMedia('video', { folder: first.folder })
  try {
    expect(await status(second, done)).toBe('completed')
    expect(await status(second, cancelled)).toBe('cancelled')
    const body = await bodyOf(fetch(`${second.url}/v1/videos/${left}`))
    expect(body).toMatchObject({ status: 'failed', error: { code: 'server_restarted' } })
    expect((await fetch(`${second.url}/v1/videos/${done}/content`)).status).toBe(200)
  } finally {
    await second.stop()
    await first.stop()
  }
})
