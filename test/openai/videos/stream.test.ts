// A clip's progress as server-sent events, and the clip's frames as a multipart stream.
import { describe, expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { videoAnswer, videoProgress } from '../../../src/openai/schema/videos.ts'
import { clipBytes } from '../../helpers/fakes/clips.ts'
import { type Body, videosApp } from '../../helpers/fakes/videos-app.ts'

const cat = { model: 'filmer', prompt: 'a cat' }

/** The events of a stream: parsed JSON, `[DONE]`, and comments as `: …`. */
function events(text: string): Body[] {
  const blocks = text.split('\n\n')
  expect(blocks.pop()).toBe('')
  return blocks.map((block) => (block.startsWith('data: {') ? JSON.parse(block.slice(6)) : block.replace('data: ', '')))
}

describe('stream: true', () => {
  test('tells progress and ends with the whole answer', async () => {
    await using app = videosApp({ script: { steps: 4, paceMs: 1 } })
    const { status, headers, body } = await app.post({ ...cat, stream: true, seed: 7 })
    expect([status, headers.get('content-type'), headers.get('x-worker-id')]).toEqual([200, 'text/event-stream; charset=utf-8', 'maker-0'])
    const all = events(body)
    expect(all.pop()).toBe('[DONE]')
    const last = all.pop()
    expect(videoAnswer.parse(last)).toEqual(last)
    expect(all.map((event) => videoProgress.parse(event).progress)).toEqual([25, 50, 75, 99])
    expect(new Set([...all, last].map(({ id, created }) => `${id} ${created}`)).size).toBe(1)
    expect(await (await fetch(last.data[0].url)).text()).toBe(clipBytes(7, 0))
    expect((await app.send('GET', `/${last.id}`)).body.status).toBe('completed')
    expect(app.inFlight()).toBe(0)
  })

  test('has as many events as there is progress to tell', async () => {
    await using app = videosApp({ script: { steps: 1000 } })
    expect(events((await app.post({ ...cat, stream: true })).body).length).toBeLessThanOrEqual(103)
  })

  test('has previews when asked, and base64 when asked', async () => {
    await using app = videosApp()
    const all = events((await app.post({ ...cat, stream: true, partial_images: 2, response_format: 'b64_json' })).body)
    const previews = all.filter((event) => event.partial !== undefined).map((event) => videoProgress.parse(event).partial!)
    expect(previews.map((one) => [one.partial_image_index, Buffer.from(one.b64_json, 'base64').toString()])).toEqual([
      [0, 'preview 1'],
      [1, 'preview 2'],
    ])
    expect(Buffer.from(all.at(-2).data[0].b64_json, 'base64').toString()).toBe(clipBytes(42, 0))
  })

  test('a refusal before the first step has its own status', async () => {
    const fail = { after: 0, error: new AppError('engine_rejected', { message: 'No such size.' }) }
    await using app = videosApp({ script: { fail, ahead: 3 } })
    const { status, body } = await app.post({ ...cat, stream: true })
    expect([status, body.error.code]).toEqual([400, 'engine_rejected'])
  })

  test('a failure after it is an event', async () => {
    const fail = { after: 2, error: new AppError('out_of_memory', { message: 'Too large.' }) }
    await using app = videosApp({ script: { fail, paceMs: 2 } })
    const { status, body } = await app.post({ ...cat, stream: true })
    const all = events(body)
    expect([status, all.at(-2), all.at(-1)]).toEqual([
      200,
      { error: { message: 'Too large.', type: 'server_error', param: null, code: 'out_of_memory' } },
      '[DONE]',
    ])
    expect([app.lines.at(-1)?.error, app.store.files.size, app.inFlight()]).toEqual([expect.anything(), 0, 0])
  })

  test('a store that is full is an event too, and nothing is kept', async () => {
    await using app = videosApp({ script: { paceMs: 2 } })
    app.store.failAfter = 0
    expect(events((await app.post({ ...cat, stream: true })).body).at(-2).error.code).toBe('storage_failed')
  })

  test('a long wait in the queue is told', async () => {
    let go = () => {}
    const turn = new Promise<void>((resolve) => (go = resolve))
    await using app = videosApp({ script: { ahead: 2, turn }, keepAliveMs: 10 })
    const response = await fetch(`${app.url}/v1/videos`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...cat, stream: true }),
    })
    await Bun.sleep(60)
    go()
    const all = events(await response.text())
    expect(videoProgress.parse(all[0])).toMatchObject({ status: 'queued', progress: 0, queue_position: 2 })
    expect(all).toContain(': still here')
    expect(all.at(-2).status).toBe('completed')
  })

  test('a client that leaves ends the work', async () => {
    await using app = videosApp({ script: { hangAt: 3 } })
    const leave = new AbortController()
    const response = await fetch(`${app.url}/v1/videos`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...cat, stream: true }),
      signal: leave.signal,
    })
    const reader = response.body!.getReader()
    await reader.read()
    leave.abort()
    while (app.clips.inside > 0) await Bun.sleep(1)
    while (app.inFlight() > 0) await Bun.sleep(1)
    expect([app.clips.aborted, app.store.files.size]).toEqual([1, 0])
  })
})

describe('POST /v1/videos/stream', () => {
  /** The bodies of the parts, checked against their heads. */
  function parts(text: string): string[] {
    expect(text.endsWith('--frame--\r\n')).toBe(true)
    return text
      .slice(0, -'--frame--\r\n'.length)
      .split('--frame\r\n')
      .slice(1)
      .map((part) => {
        const [, length, body] = /^Content-Type: image\/jpeg\r\nContent-Length: (\d+)\r\n\r\n([\s\S]*)\r\n$/.exec(part)!
        expect(body).toHaveLength(Number(length))
        return body!
      })
  }

  test('sends every frame as a part', async () => {
    await using app = videosApp()
    const { status, headers, body } = await app.send('POST', '/stream', { ...cat, num_frames: 17, output_compression: 50 })
    expect([status, headers.get('content-type'), headers.get('x-worker-id')]).toEqual([
      200,
      'multipart/x-mixed-replace; boundary=frame',
      'maker-0',
    ])
    expect(parts(body)).toEqual(Array.from({ length: 17 }, (_, i) => String(i)))
    expect(app.clips.requests[0]!.format).toEqual({ type: 'mjpeg', compression: 50 })
    expect([app.store.files.size, app.inFlight()]).toEqual([0, 0])
  })

  test('large frames come whole', async () => {
    await using app = videosApp({ script: { frameBytes: 300_000 } })
    const { body } = await app.send('POST', '/stream', { ...cat, num_frames: 81 })
    expect(parts(body).map((part) => part.length)).toEqual(new Array(81).fill(300_000))
  })

  test.each([
    ['n', { n: 2 }],
    ['background', { background: true }],
  ])('one clip, no job: %s', async (param, more) => {
    await using app = videosApp()
    const { status, body } = await app.send('POST', '/stream', { ...cat, ...more })
    expect([status, body.error.param]).toEqual([400, param])
  })

  test('a failure before the first frame has its own status', async () => {
    await using app = videosApp({ script: { fail: { after: 3, error: new AppError('out_of_memory', { message: 'Too large.' }) } } })
    const { status, body } = await app.send('POST', '/stream', cat)
    expect([status, body.error.code]).toEqual([500, 'out_of_memory'])
  })

  test('one after it cuts the connection: the end is missing', async () => {
    await using app = videosApp({ script: { breakAfterFrames: 3 } })
    const response = await fetch(`${app.url}/v1/videos/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(cat),
    })
    expect(response.status).toBe(200)
    let text = ''
    const reading = (async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) text += new TextDecoder().decode(chunk)
    })()
    await expect(reading).rejects.toThrow()
    expect(text).not.toContain('--frame--')
    expect(app.lines.at(-1)).toMatchObject({ error: expect.anything() })
  })

  test('a client that leaves ends the work', async () => {
    await using app = videosApp({ script: { frameBytes: 1000 } })
    const leave = new AbortController()
    const response = await fetch(`${app.url}/v1/videos/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...cat, num_frames: 4001, size: '16x16' }),
      signal: leave.signal,
    })
    await response.body!.getReader().read()
    leave.abort()
    while (app.clips.inside > 0) await Bun.sleep(1)
    expect(app.clips.aborted).toBe(1)
  })

  test('a client that does not read ends the work before memory does', async () => {
    await using app = videosApp({ script: { frameBytes: 2_000_000 } })
    const socket = await Bun.connect({ hostname: '127.0.0.1', port: Number(new URL(app.url).port), socket: { data() {} } })
    const body = JSON.stringify({ ...cat, num_frames: 401, size: '16x16' })
    socket.pause()
    socket.write(
      `POST /v1/videos/stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    while (app.clips.requests.length === 0 || app.clips.inside > 0) await Bun.sleep(5)
    expect(app.clips.aborted).toBe(1)
    socket.terminate()
  })
})
