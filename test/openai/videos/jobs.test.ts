// OpenAI's job API as its official client uses it, and by hand what the client cannot say.
import { describe, expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { videoDeleted, videoJobAnswer, videoList } from '../../../src/openai/schema/videos.ts'
import { clipBytes } from '../../helpers/fakes/clips.ts'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { type Body, type VideosApp, videosApp } from '../../helpers/fakes/videos-app.ts'

/** The job once it has ended, asked for as clients do. */
async function ended(app: VideosApp, id: string): Promise<Body> {
  for (;;) {
    const { body } = await app.send('GET', `/${id}`)
    if (body.status !== 'queued' && body.status !== 'in_progress') return body
    await Bun.sleep(2)
  }
}

const cat = { prompt: 'a cat', model: 'filmer' } as const

describe('the official client', () => {
  test('creates, asks, and downloads', async () => {
    await using app = videosApp()
    const video = await app.openai.videos.create({ ...cat, seconds: '4', size: '1280x720' })
    expect(video).toMatchObject({
      object: 'video',
      status: 'queued',
      progress: 0,
      model: 'filmer',
      seconds: '4',
      size: '1280x720',
      error: null,
    })
    expect(video).toMatchObject({ completed_at: null, expires_at: null, remixed_from_video_id: null, prompt: 'a cat' })
    await ended(app, video.id)
    const done = await app.openai.videos.retrieve(video.id)
    expect(videoJobAnswer.parse(done)).toEqual(done as never)
    expect(done).toMatchObject({ status: 'completed', progress: 100, seconds: '4', error: null })
    expect(done.expires_at! - done.completed_at!).toBe(24 * 3600)
    const content = await app.openai.videos.downloadContent(video.id)
    expect([content.headers.get('content-type'), await content.text()]).toEqual(['video/mp4', clipBytes(42, 0)])
  })

  test('sends an image and what its types do not know', async () => {
    await using app = videosApp()
    const input_reference = new File([pngHead(640, 640)], 'cat.png', { type: 'image/png' })
    const more = { num_frames: 17, nvext: { seed: 5, guidance_scale: 2.5 }, user: 'u/1' }
    const { id } = await app.openai.videos.create({ ...cat, input_reference, ...more } as never)
    const job = await ended(app, id)
    expect(job).toMatchObject({ status: 'completed', num_frames: 17, seed: 5, size: '624x624' })
    expect(app.clips.requests[0]).toMatchObject({ guidance: 2.5, images: [pngHead(640, 640)] })
    expect([...app.store.files.keys()][0]).toMatch(/^users\/u_1-\w+\/generations\/video_\w+\/0\.mp4$/)
  })

  test('sends the address of an image', async () => {
    await using app = videosApp()
    const { id } = await app.openai.videos.create({ ...cat, input_reference: { image_url: 'https://images.test/640x320' } })
    expect((await ended(app, id)).size).toBe('896x448')
  })

  test('lists page by page', async () => {
    await using app = videosApp()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await app.openai.videos.create(cat)).id)
    for (const id of ids) await ended(app, id)
    const seen: string[] = []
    for await (const video of app.openai.videos.list({ limit: 2 })) seen.push(video.id)
    expect(seen).toEqual(ids.toReversed())
    const page = await app.send('GET', '?limit=2&order=asc')
    expect(videoList.parse(page.body)).toEqual(page.body)
    expect(page.body).toMatchObject({ object: 'list', first_id: ids[0], last_id: ids[1], has_more: true })
  })

  test('deletes', async () => {
    await using app = videosApp()
    const { id } = await app.openai.videos.create(cat)
    await ended(app, id)
    const gone = await app.openai.videos.delete(id)
    expect(videoDeleted.parse(gone)).toEqual(gone as never)
    expect(app.store.files.size).toBe(0)
    expect(await app.openai.videos.retrieve(id).catch((error: unknown) => error)).toMatchObject({ status: 404, code: 'media_not_found' })
  })

  test('deletes again what could not be deleted', async () => {
    await using app = videosApp()
    const { id } = await app.openai.videos.create(cat)
    await ended(app, id)
    const { remove } = app.store
    app.store.remove = async () => {
      throw new AppError('storage_failed', { message: 'The store is away.' })
    }
    expect(await app.openai.videos.delete(id).catch((error: unknown) => error)).toMatchObject({ status: 507, code: 'storage_failed' })
    app.store.remove = remove
    expect(await app.openai.videos.delete(id)).toMatchObject({ id, deleted: true })
  })

  test('is told that there is no remix', async () => {
    await using app = videosApp()
    expect(await app.openai.videos.remix('video_x', { prompt: 'more' }).catch((error: unknown) => error)).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
    })
  })

  test('hears of a clip that is not ready', async () => {
    await using app = videosApp({ script: { hangAt: 2 } })
    const { id } = await app.openai.videos.create(cat)
    expect(await app.openai.videos.downloadContent(id).catch((error: unknown) => error)).toMatchObject({
      status: 409,
      code: 'job_not_finished',
    })
  })
})

describe('who gets a job', () => {
  const form = (fields: Record<string, string> = {}) => {
    const made = new FormData()
    for (const [name, value] of Object.entries({ ...cat, ...fields })) made.append(name, value)
    return made
  }
  type Case = [name: string, body: object, headers: Record<string, string>, status: string]
  const cases: Case[] = [
    ['a form', form(), {}, 'queued'],
    ['a form that wants the clip', form({ background: 'false' }), {}, 'completed'],
    ['JSON', cat, {}, 'completed'],
    ['JSON that asks for it', { ...cat, background: true }, {}, 'queued'],
    ['JSON with Prefer', cat, { prefer: 'respond-async' }, 'queued'],
    ['JSON with Prefer and more', cat, { prefer: 'wait=10, Respond-Async; x=1' }, 'queued'],
    ['JSON with another Prefer', cat, { prefer: 'respond-asynchronously' }, 'completed'],
    ['JSON that asks for the clip', { ...cat, background: false }, { prefer: 'respond-async' }, 'completed'],
  ]
  test.each(cases)('%s', async (_name, body, headers, status) => {
    await using app = videosApp()
    const answer = await app.post(body, { headers })
    expect([answer.status, answer.body.status]).toEqual([200, status])
    if (status === 'queued') expect(answer.headers.get('location')).toBe(`${app.url}/v1/videos/${answer.body.id}`)
  })

  test('only when the job was its wish is it told as applied', async () => {
    await using app = videosApp()
    const applied = async (headers: Record<string, string>) =>
      (await app.post({ ...cat, background: true }, { headers })).headers.get('preference-applied')
    expect([await applied({}), await applied({ prefer: 'respond-async' })]).toEqual([null, 'respond-async'])
    expect([await applied({ prefer: 'wait=10' }), await applied({ prefer: 'wait=10, respond-async' })]).toEqual([null, 'respond-async'])
  })
})

describe('a job', () => {
  test('goes on when the client leaves', async () => {
    await using app = videosApp({ script: { paceMs: 5 } })
    const leave = new AbortController()
    const { body } = await app.post({ ...cat, background: true }, { signal: leave.signal })
    leave.abort()
    expect((await ended(app, body.id)).status).toBe('completed')
  })

  test('tells its progress, and how soon to ask again', async () => {
    await using app = videosApp({ script: { hangAt: 4 } })
    const { id } = (await app.post({ ...cat, background: true })).body
    let answer = await app.send('GET', `/${id}`)
    while (answer.body.progress < 75) answer = await app.send('GET', `/${id}`)
    expect([answer.body.status, answer.body.progress, answer.headers.get('openai-poll-after-ms')]).toEqual(['in_progress', 75, '1000'])
  })

  test('tells its place in the queue', async () => {
    await using app = videosApp({ script: { turn: new Promise(() => {}), ahead: 2 } })
    const { id } = (await app.post({ ...cat, background: true })).body
    const { body } = await app.send('GET', `/${id}`)
    expect(videoJobAnswer.parse(body)).toEqual(body)
    expect([body.status, body.queue_position]).toEqual(['queued', 2])
    expect((await app.send('POST', `/${id}/cancel`)).body).not.toHaveProperty('queue_position')
  })

  test('can be cancelled, and stays so', async () => {
    await using app = videosApp({ script: { hangAt: 3 } })
    const { id } = (await app.post({ ...cat, background: true })).body
    const { status, body } = await app.send('POST', `/${id}/cancel`)
    expect([status, body.status]).toEqual([200, 'cancelled'])
    while (app.clips.inside > 0) await Bun.sleep(1)
    expect((await app.send('POST', `/${id}/cancel`)).body.status).toBe('cancelled')
    const content = await app.send('GET', `/${id}/content`)
    expect([content.status, content.body.error.code]).toEqual([409, 'job_cancelled'])
  })

  test('of several clips has them all', async () => {
    await using app = videosApp()
    const { id } = (await app.post({ ...cat, background: true, n: 2, seed: 3 })).body
    expect((await ended(app, id)).data).toHaveLength(2)
    for (const query of ['index=1', 'variant=1', 'variant=video&index=1'])
      expect((await app.send('GET', `/${id}/content?${query}`)).body).toBe(clipBytes(3, 1))
    expect((await app.send('GET', `/${id}/content?variant=video`)).body).toBe(clipBytes(3, 0))
  })

  test('is refused when too many wait', async () => {
    await using app = videosApp({ script: { hangAt: 1 }, jobLimits: { room: () => ({ places: 1, taken: 0 }) } })
    await app.post({ ...cat, background: true })
    const { status, headers, body } = await app.post({ ...cat, background: true })
    expect([status, headers.get('retry-after'), body.error.code]).toEqual([529, '10', 'overloaded'])
  })
})

describe('content', () => {
  const text = clipBytes(42, 0)
  async function content(headers: Record<string, string>, method = 'GET') {
    await using app = videosApp()
    const { id } = (await app.post(cat)).body
    const response = await fetch(`${app.url}/v1/videos/${id}/content`, { method, headers })
    const names = ['content-length', 'content-range', 'accept-ranges', 'content-type', 'content-disposition', 'etag']
    return {
      status: response.status,
      text: await response.text(),
      ...Object.fromEntries(names.map((name) => [name, response.headers.get(name)])),
      id,
    } as Record<string, unknown>
  }

  test('whole', async () => {
    const answer = await content({})
    const disposition = `inline; filename="${answer.id}.mp4"`
    expect(answer).toMatchObject({
      status: 200,
      text,
      'content-length': String(text.length),
      'accept-ranges': 'bytes',
      'content-disposition': disposition,
    })
  })

  test.each<[range: string, part: string, said: string]>([
    ['bytes=0-3', text.slice(0, 4), `bytes 0-3/${text.length}`],
    ['bytes=8-', text.slice(8), `bytes 8-${text.length - 1}/${text.length}`],
    ['bytes=-2', text.slice(-2), `bytes ${text.length - 2}-${text.length - 1}/${text.length}`],
    ['bytes=5-9999', text.slice(5), `bytes 5-${text.length - 1}/${text.length}`],
    ['bytes=-9999', text, `bytes 0-${text.length - 1}/${text.length}`],
  ])('%s', async (range, part, said) => {
    expect(await content({ range })).toMatchObject({
      status: 206,
      text: part,
      'content-range': said,
      'content-length': String(part.length),
    })
  })

  test.each(['bytes=0-1,4-5', 'lines=1-2', 'bytes=5-2', 'bytes=-'])('%s is answered whole', async (range) => {
    expect(await content({ range })).toMatchObject({ status: 200, text, 'content-range': null })
  })

  test.each(['bytes=9999-', 'bytes=-0'])('%s is beyond it', async (range) => {
    expect(await content({ range })).toMatchObject({ status: 416, text: '', 'content-range': `bytes */${text.length}` })
  })

  test('a part of another version is answered whole', async () => {
    const { etag } = await content({})
    expect(await content({ range: 'bytes=0-3', 'if-range': '"old"' })).toMatchObject({ status: 200, text })
    expect(await content({ range: 'bytes=0-3', 'if-range': etag as string })).toMatchObject({ status: 206 })
    expect(await content({ 'if-none-match': etag as string })).toMatchObject({ status: 304, text: '' })
  })

  test('HEAD has the head alone', async () => {
    expect(await content({}, 'HEAD')).toMatchObject({
      status: 200,
      text: '',
      'content-length': String(text.length),
      'content-type': 'video/mp4',
    })
  })

  test('that the store dropped is not there', async () => {
    await using app = videosApp()
    const { id } = (await app.post(cat)).body
    app.store.files.clear()
    const { status, body } = await app.send('GET', `/${id}/content`)
    expect([status, body.error.code]).toEqual([404, 'media_not_found'])
  })
})
