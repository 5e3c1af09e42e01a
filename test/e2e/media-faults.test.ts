// What users see when something breaks under images and videos: the engine, the place of files, the server's end.
import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isProcess } from '../../src/pipeline/media/jobs/owner.ts'
import { startS3 } from '../helpers/processes/broker.ts'
import { eventually, start } from '../helpers/processes/start.ts'
import { bodyOf, type StartedMedia, startMedia } from '../helpers/processes/start-media.ts'

/** Servers start several times here, on machines that have other things to do. */
setDefaultTimeout(60_000)

type At = Pick<StartedMedia, 'url'>
const send = (at: At, body: object, path = '/v1/images/generations') =>
  fetch(`${at.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const small = { prompt: 'x', size: '256x256', num_inference_steps: 4 }
const endless = { ...small, size: '512x512', num_inference_steps: 1000 }

async function withMedia(makes: 'image' | 'video', args: string[], use: (server: StartedMedia) => Promise<void>): Promise<void> {
  const server = await startMedia(makes, { args })
  try {
    await use(server)
  } finally {
    await server.stop()
  }
}

test('an engine that dies fails what runs, is told in /health, and comes back', () =>
  withMedia('image', ['--mock-failure', 'crash-after=8,restart=1500'], async (server) => {
    // One step is the health check's.
    const answer = await send(server, { ...small, num_inference_steps: 50 })
    expect([answer.status, (await bodyOf(answer)).error.code]).toEqual([500, 'engine_failed'])
    expect((await fetch(`${server.url}/health`)).status).toBe(503)
    await eventually('it is back', async () => (await fetch(`${server.url}/health`)).status === 200)
    expect((await send(server, small)).status).toBe(200)
    expect(await server.metric('dynamo_component_engine_restarts_total')).toBe(1)
    expect(await server.files()).toHaveLength(2)
  }))

test('a hundred clients that leave at any moment: the engine stops, no file stays, the next is served', () =>
  withMedia('image', ['--workers', '2', '--speedup-ratio', '50'], async (server) => {
    const leave = async (at: number) => {
      const stop = new AbortController()
      const body = JSON.stringify({ ...endless, n: 2, stream: at % 3 === 0 })
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: stop.signal }
      const answer = fetch(`${server.url}/v1/images/generations`, init).then(
        (one) => one.text(),
        () => 'gone',
      )
      setTimeout(() => stop.abort(), (at * 7919) % 250)
      expect(await answer.catch(() => 'gone')).toBe('gone')
    }
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 20 }, (_, i) => leave(round * 20 + i)))
    const idle = async () =>
      (await server.metric('dynamo_component_media_running_jobs')) + (await server.metric('dynamo_component_media_queued_jobs'))
    await eventually('nothing runs or waits', async () => (await idle()) === 0)
    const steps = await server.metric('dynamo_component_media_steps_total')
    expect(await server.files()).toEqual([])
    expect((await send(server, small)).status).toBe(200)
    expect(await server.metric('dynamo_component_media_steps_total')).toBe(steps + 4)
    const cancelled = await server.metric('dynamo_component_media_failures_total')
    expect(cancelled).toBeGreaterThan(50)
    expect(cancelled).toBeLessThanOrEqual(100)
  }))

test('one that runs out of memory takes no other with it', () =>
  withMedia('image', ['--mock-failure', 'oom-every=2'], async (server) => {
    const answers = [await send(server, small), await send(server, small), await send(server, small)]
    const failed = answers.filter(({ status }) => status !== 200)
    expect(failed).toHaveLength(answers.length === 3 ? failed.length : 0)
    expect(failed.length).toBeGreaterThan(0)
    for (const one of failed) expect((await bodyOf(one)).error.code).toBe('out_of_memory')
    expect(answers.some(({ status }) => status === 200)).toBe(true)
  }))

test('a place of files that is gone: 507, the cause in the log, the next ones work when it is back', () =>
  withMedia('image', [], async (server) => {
    expect((await send(server, small)).status).toBe(200)
    const files = join(server.folder, 'files')
    renameSync(files, `${files}-away`)
    writeFileSync(files, 'in the way')
    const answer = await send(server, small)
    expect([answer.status, (await bodyOf(answer)).error.code]).toEqual([507, 'storage_failed'])
    expect((await send(server, { ...small, response_format: 'b64_json' })).status).toBe(200)
    rmSync(files)
    renameSync(`${files}-away`, files)
    expect((await send(server, small)).status).toBe(200)
    expect(await server.metric('dynamo_component_media_store_failures_total')).toBeGreaterThan(0)
  }))

test('a bucket: files are put there and served from there; while it is gone requests fail, and nothing is lost for good', async () => {
  const bucket = await startS3()
  const keys = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER', AWS_REGION: 'us-east-1' }
  const at = { AWS_ENDPOINT_URL: `http://127.0.0.1:${bucket.port}`, DYN_MEDIA_OUTPUT_FS_URL: 's3://media/pictures' }
  const server = await startMedia('image', { env: { ...keys, ...at } })
  try {
    const { data } = await bodyOf(send(server, { ...small, seed: 1 }))
    expect(data[0].url).toStartWith(`${server.url}/media/users/`)
    const picture = await fetch(data[0].url)
    expect(picture.headers.get('content-type')).toBe('image/png')
    const bytes = await picture.bytes()
    const part = await fetch(data[0].url, { headers: { range: 'bytes=1-3' } })
    expect([part.status, await part.text()]).toEqual([206, 'PNG'])
    await bucket.stop()
    const answer = await send(server, small)
    expect([answer.status, (await bodyOf(answer)).error.code]).toEqual([507, 'storage_failed'])
    expect((await fetch(data[0].url)).status).toBeGreaterThanOrEqual(500)
    const [inside] = (await bodyOf(send(server, { ...small, seed: 1, response_format: 'b64_json' }))).data
    expect(Buffer.from(inside.b64_json, 'base64')).toEqual(Buffer.from(bytes))
  } finally {
    await server.stop()
    await bucket.stop()
  }
})

test('a disk that gets full: 507, and nothing half-written stays', () =>
  withMedia('image', [], async (server) => {
    const files = join(server.folder, 'files')
    mkdirSync(files, { recursive: true })
    const full = fillable(files)
    try {
      const answers: Response[] = []
      for (let i = 0; i < 20; i++) {
        if (i === 10) full.begin()
        answers.push(await send(server, { ...small, size: '512x512' }))
      }
      const last = answers.at(-1)!
      expect([last.status, (await bodyOf(last)).error.code]).toEqual([507, 'storage_failed'])
      full.end()
      const kept = answers.filter(({ status }) => status === 200).length
      // A picture and its note each; of those that failed there is nothing.
      expect(await server.files()).toHaveLength(2 * kept)
    } finally {
      full.release()
    }
  }))

test('a place that takes no files is told at the start', async () => {
  // Root may write into every folder, but nobody makes one in /sys.
  const starting = startMedia('image', { env: { DYN_MEDIA_OUTPUT_FS_URL: 'file:///sys/dynamo-media' } })
  await expect(starting).rejects.toThrow(/media-output-fs-url/)
})

test('the end of the server: what runs is finished, what waits is told to go elsewhere, jobs remember it', async () => {
  const folder = mkdtempSync('/tmp/media-end-')
  const server = await startMedia('video', { folder, args: ['--speedup-ratio', '2'] })
  const clip = { prompt: 'x', size: '128x96', num_frames: 9, num_inference_steps: 1000 }
  const running = send(server, clip, '/v1/videos')
  await eventually('it runs', async () => (await server.metric('dynamo_component_media_running_jobs')) === 1)
  const waiting = send(server, clip, '/v1/videos')
  const job = (await bodyOf(send(server, { ...clip, background: true }, '/v1/videos'))).id
  await eventually('two wait', async () => (await server.metric('dynamo_component_media_queued_jobs')) === 2)
  const ended = server.stop(20_000)
  const told = await waiting
  expect([told.status, (await bodyOf(told)).error.code]).toEqual([503, 'shutting_down'])
  expect(told.headers.get('retry-after')).not.toBeNull()
  expect((await running).status).toBe(200)
  expect(await ended).toBe(0)
  const next = await startMedia('video', { folder })
  try {
    const state = await bodyOf(fetch(`${next.url}/v1/videos/${job}`))
    expect(state).toMatchObject({ status: 'failed', error: { code: 'shutting_down' } })
  } finally {
    await next.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}, 30_000)

test('a server of text has the routes of images and videos, and says what it serves instead', async () => {
  const server = await start()
  try {
    for (const [path, what] of [
      ['/v1/images/generations', 'images'],
      ['/v1/images/edits', 'images'],
      ['/v1/videos', 'videos'],
      ['/v1/videos/stream', 'videos'],
    ] as const) {
      const unknown = await send(server, { prompt: 'x', model: 'flux' }, path)
      expect([unknown.status, (await bodyOf(unknown)).error.code]).toEqual([404, 'model_not_found'])
      const text = await send(server, { prompt: 'x', model: 'models/tiny-llm' }, path)
      expect((await bodyOf(text)).error.message).toContain(`makes no ${what}; ask POST /v1/chat/completions`)
    }
    expect(await bodyOf(fetch(`${server.url}/v1/videos`))).toMatchObject({ data: [] })
    expect((await fetch(`${server.url}/media/users/x.png`)).status).toBe(404)
  } finally {
    await server.stop()
  }
})

test('a text model with a diffusion role, and the reverse, say which file was looked for', async () => {
  const failing = (args: string[]) =>
    start({ args }).then(
      () => 'started',
      (error: Error) => error.message,
    )
  expect(await failing(['--image-diffusion-worker'])).toMatch(/tiny-llm\/model_index.json is missing.*text model/s)
  expect(await failing(['--model-path', 'models/tiny-FLUX.1-dev'])).toMatch(/config.json.*--image-diffusion-worker/s)
  expect(await failing(['--video-generation-worker', '--model-path', 'models/tiny-FLUX.1-dev'])).toContain('--image-diffusion-worker')
})

test('endless jobs are ended when the drain time is over', async () => {
  const server = await startMedia('image', { args: ['--speedup-ratio', '1', '--drain-timeout-secs', '0.3'] })
  const running = send(server, endless).catch((error: Error) => error)
  await eventually('it runs', async () => (await server.metric('dynamo_component_media_running_jobs')) === 1)
  expect(await server.stop(20_000)).toBe(0)
  const answer = await running
  if (answer instanceof Response) expect(answer.status).toBeGreaterThanOrEqual(500)
})

test('a server that will stop refuses new video jobs at once, and says in words what became of the others', async () => {
  const server = await startMedia('video', { args: ['--speedup-ratio', '1', '--grace-period-secs', '2', '--drain-timeout-secs', '0.2'] })
  try {
    const job = { prompt: 'x', num_inference_steps: 1000, background: true }
    const [running, waiting] = [await bodyOf(send(server, job, '/v1/videos')), await bodyOf(send(server, job, '/v1/videos'))]
    expect([running.object, waiting.status]).toEqual(['video', 'queued'])
    process.kill(server.pid, 'SIGTERM')
    await eventually('it leaves', async () => server.output().includes('no longer ready'))
    const form = new FormData()
    form.set('prompt', 'x')
    const answers = [send(server, job, '/v1/videos'), fetch(`${server.url}/v1/videos`, { method: 'POST', body: form })]
    for (const answer of await Promise.all(answers)) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
      expect((await bodyOf(answer)).error.code).toBe('shutting_down')
    }
    expect((await bodyOf(fetch(`${server.url}/v1/videos`))).data).toHaveLength(2)
    await eventually('it has stopped', async () => !isProcess(server.pid))
    expect(await server.stop()).toBe(0)
    expect(server.output()).toContain(`video ${waiting.id} failed: `)
    expect(server.output()).not.toContain('"stack"')
  } finally {
    await server.stop()
  }
})

/** A folder that takes only some files: a small disk where one can be mounted, else one that is away from `begin` to `end`, a file in its place. */
function fillable(folder: string): { begin(): void; end(): void; release(): void } {
  const mounted = process.getuid?.() === 0 && Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).success
  const none = () => {}
  if (mounted) return { begin: none, end: none, release: () => void Bun.spawnSync(['umount', folder]) }
  const begin = () => {
    renameSync(folder, `${folder}.away`)
    writeFileSync(folder, '')
  }
  const end = () => {
    rmSync(folder, { recursive: true })
    renameSync(`${folder}.away`, folder)
  }
  return { begin, end, release: none }
}
