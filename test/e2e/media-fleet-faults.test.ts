// What users of a fleet of image and video workers see when workers die, leave, come late, or are not there.
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needsNats, startNats } from '../helpers/processes/broker.ts'
import { type MediaFleet, postJson, startMediaFleet, untilReady, workersOf } from '../helpers/processes/media-fleet.ts'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { eventually } from '../helpers/processes/start.ts'
import { bodyOf } from '../helpers/processes/start-media.ts'

setDefaultTimeout(60_000)

const ending: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
}, 60_000)

function fleetOn(env?: Record<string, string>): MediaFleet {
  const fleet = startMediaFleet(env)
  ending.push(fleet.stop)
  return fleet
}

const picture = { prompt: 'A lighthouse', size: '256x256', num_inference_steps: 4 }
/** About ten seconds, and about three minutes. */
const long = { ...picture, size: '512x512', num_inference_steps: 250 }
const endless = { ...picture, size: '1024x1024', num_inference_steps: 1000 }
const clip = { prompt: 'Waves', size: '128x96', num_frames: 9, num_inference_steps: 4 }
const paint = (url: string, body: object, init?: RequestInit) => postJson(url, '/v1/images/generations', body, init)
const running = (url: string, jobs: number) =>
  eventually(`${jobs} jobs at workers`, async () => (await workersOf(url)).reduce((sum, { inFlight }) => sum + inFlight, 0) === jobs)

test('a worker that is killed: what it made fails clearly, what waited for it is made by another, new ones go there', async () => {
  const fleet = fleetOn()
  const [{ url }, a, b] = await Promise.all([fleet.frontend(), fleet.image(), fleet.image()])
  await untilReady(url, 2)
  const stop = new AbortController()
  const first = paint(url, endless)
  await running(url, 1)
  const onFirst = (await workersOf(url)).find(({ inFlight }) => inFlight === 1)!.id
  const [dying, living] = onFirst === a.id ? [a, b] : [b, a]
  const second = paint(url, endless, { signal: stop.signal }).catch(() => 'cancelled')
  await running(url, 2)
  const waiting = paint(url, picture)
  await running(url, 3)
  // Equal loads: it waits behind one of the two.
  const waitsAt = (await workersOf(url)).find(({ inFlight }) => inFlight === 2)!.id
  const [killed, other] = waitsAt === dying.id ? [dying, living] : [living, dying]
  await killed.kill()
  const failed = killed === dying ? await first : await second
  if (failed instanceof Response) {
    expect([failed.status, (await bodyOf(failed)).error.code]).toEqual([503, 'engine_unavailable'])
    expect(failed.headers.get('retry-after')).not.toBeNull()
  }
  await eventually('the dead one is gone', async () => (await workersOf(url)).length === 1)
  expect((await workersOf(url))[0]!.inFlight).toBe(2)
  stop.abort()
  const made = await waiting
  expect([made.status, made.headers.get('x-worker-id')]).toEqual([200, other.id])
  expect((await paint(url, picture)).headers.get('x-worker-id')).toBe(other.id)
})

test('a video job whose worker dies says so; the next worker makes the next one', async () => {
  const fleet = fleetOn()
  const [{ url }, first] = await Promise.all([fleet.frontend(), fleet.video(['--speedup-ratio', '1'])])
  await untilReady(url, 1)
  const job = await bodyOf(postJson(url, '/v1/videos', { ...clip, num_inference_steps: 1000, background: true }))
  const state = () => bodyOf(fetch(`${url}/v1/videos/${job.id}`))
  await eventually('it is made', async () => (await state()).status === 'in_progress')
  await first.kill()
  await eventually('it has failed', async () => (await state()).status === 'failed')
  expect((await state()).error.message).toMatch(/worker/)
  // The model is still known: 503, not 404, as in a rolling restart.
  const meanwhile = await postJson(url, '/v1/videos', clip)
  expect([meanwhile.status, (await bodyOf(meanwhile)).error.code]).toEqual([503, 'engine_unavailable'])
  expect((await fetch(`${url}/ready`)).status).toBe(503)
  const next = await fleet.video()
  await untilReady(url, 1)
  expect((await postJson(url, '/v1/videos', clip)).headers.get('x-worker-id')).toBe(next.id)
})

test('a worker that stands still fails its job within seconds; when it goes on it takes the next ones', async () => {
  const fleet = fleetOn()
  const [{ url }, worker] = await Promise.all([fleet.frontend(), fleet.image()])
  await untilReady(url, 1)
  const job = paint(url, endless)
  await running(url, 1)
  process.kill(worker.pid, 'SIGSTOP')
  try {
    const failed = await job
    expect([failed.status, (await bodyOf(failed)).error.code]).toEqual([503, 'engine_unavailable'])
    expect((await paint(url, picture)).status).toBe(503)
  } finally {
    process.kill(worker.pid, 'SIGCONT')
  }
  await untilReady(url, 1)
  // The job that nobody waits for any more is ended there.
  expect((await paint(url, picture)).headers.get('x-worker-id')).toBe(worker.id)
})

test('a worker that is told to stop finishes what it makes; what waits there goes to others; new ones too', async () => {
  const fleet = fleetOn()
  const [{ url }, leaving] = await Promise.all([fleet.frontend(), fleet.image()])
  await untilReady(url, 1)
  const first = paint(url, long)
  await running(url, 1)
  const second = paint(url, picture)
  await running(url, 2)
  const other = await fleet.image()
  await untilReady(url, 2)
  const stopped = leaving.stop(40_000)
  expect((await second).headers.get('x-worker-id')).toBe(other.id)
  expect((await paint(url, picture)).headers.get('x-worker-id')).toBe(other.id)
  const made = await first
  expect([made.status, made.headers.get('x-worker-id')]).toEqual([200, leaving.id])
  expect((await fetch((await bodyOf(made)).data[0].url)).status).toBe(200)
  expect(await stopped).toBe(0)
})

test('a rolling restart under 64 requests: every one is answered with its picture', async () => {
  const fleet = fleetOn()
  const [{ url }, first, second] = await Promise.all([fleet.frontend(), fleet.image(), fleet.image()])
  await untilReady(url, 2)
  const steady = { ...picture, num_inference_steps: 20, response_format: 'b64_json' }
  const answers = Promise.all(Array.from({ length: 64 }, (_, i) => paint(url, { ...steady, nvext: { seed: i } })))
  const waiting = async () => (await workersOf(url)).reduce((sum, { inFlight }) => sum + inFlight, 0)
  await eventually('many wait', async () => (await waiting()) > 20)
  const stopped = first.stop(30_000)
  await fleet.image()
  expect(await stopped).toBe(0)
  await untilReady(url, 2)
  expect(await second.stop(30_000)).toBe(0)
  const bodies = await Promise.all((await answers).map(async (answer) => [answer.status, await bodyOf(answer)]))
  expect(bodies.filter(([status]) => status !== 200)).toEqual([])
  expect(new Set(bodies.map(([, body]) => Bun.hash(body.data[0].b64_json))).size).toBe(64)
})

test('an engine that dies and comes back: the worker’s card says both', async () => {
  const fleet = fleetOn()
  const port = freePort()
  const [{ url }, worker] = await Promise.all([
    fleet.frontend(),
    fleet.image(['--mock-failure', 'crash-after=20,restart=1000'], { DYN_SYSTEM_PORT: String(port) }),
  ])
  await untilReady(url, 1)
  const failed = await paint(url, { ...picture, num_inference_steps: 50 })
  expect([failed.status, (await bodyOf(failed)).error.code]).toEqual([500, 'engine_failed'])
  await eventually('the frontend knows', async () => (await fetch(`${url}/ready`)).status === 503)
  await untilReady(url, 1)
  expect((await paint(url, picture)).status).toBe(200)
  const system = `http://127.0.0.1:${port}`
  const health = await bodyOf(fetch(`${system}/health`))
  expect(health).toMatchObject({ status: 'healthy', workers: [{ id: worker.id, ranks: [{ canary: 'passed' }] }] })
  expect(await (await fetch(`${system}/metrics`)).text()).toMatch(/dynamo_component_media_jobs_total\{[^}]*\} 1/)
})

test('the frontend’s end: running jobs of others are freed at the workers', async () => {
  const fleet = fleetOn()
  const [gone, stays, worker] = await Promise.all([fleet.frontend(), fleet.frontend(), fleet.image()])
  await Promise.all([untilReady(gone.url, 1), untilReady(stays.url, 1)])
  const lost = paint(gone.url, endless).catch(() => 'lost')
  await running(gone.url, 1)
  await gone.kill()
  await lost
  expect((await paint(stays.url, picture)).headers.get('x-worker-id')).toBe(worker.id)
})

test('a frontend that is told to stop finishes its jobs; the next one on its folders has them, with or without workers', async () => {
  const fleet = fleetOn()
  const folder = mkdtempSync(join(tmpdir(), 'media-front-'))
  ending.push(async () => rmSync(folder, { recursive: true, force: true }))
  const kept = { DYN_MEDIA_OUTPUT_FS_URL: `file://${folder}/files`, DYN_MEDIA_JOBS_FOLDER: `${folder}/jobs` }
  const [{ url, stop }, worker] = await Promise.all([fleet.frontend([], kept), fleet.video(['--speedup-ratio', '1'])])
  await untilReady(url, 1)
  const two = { ...clip, num_inference_steps: 50, background: true }
  const jobs = await Promise.all([1, 2].map(async () => (await bodyOf(postJson(url, '/v1/videos', two))).id as string))
  const waiting = postJson(url, '/v1/videos', clip)
  await running(url, 3)
  expect(await stop(40_000)).toBe(0)
  expect((await waiting).status).toBe(200)
  await worker.stop()
  const next = await fleet.frontend([], kept)
  for (const id of jobs) {
    expect(await bodyOf(fetch(`${next.url}/v1/videos/${id}`))).toMatchObject({ status: 'completed', progress: 100 })
    expect((await fetch(`${next.url}/v1/videos/${id}/content`)).status).toBe(200)
  }
  expect((await postJson(next.url, '/v1/videos', clip)).status).toBe(503)
})

test('a place of files that cannot be used fails what needs it, by name, and the frontend stays', async () => {
  const fleet = fleetOn()
  const [{ url }] = await Promise.all([fleet.frontend([], { DYN_MEDIA_OUTPUT_FS_URL: 'file:///dev/null/files' }), fleet.image()])
  await untilReady(url, 1)
  const answer = await paint(url, picture)
  expect([answer.status, (await bodyOf(answer)).error]).toEqual([
    507,
    expect.objectContaining({ code: 'storage_failed', message: expect.stringContaining('--media-output-fs-url') }),
  ])
  expect((await fetch(`${url}/health`)).status).toBe(200)
})

describe('other ways to meet', () => {
  test('workers at fixed addresses', async () => {
    const ports = [freePort(), freePort()]
    const fleet = fleetOn({ DYN_DISCOVERY_BACKEND: 'static', DYN_TCP_RPC_HOST: '127.0.0.1' })
    const [image, video] = await Promise.all([
      fleet.image([], { DYN_TCP_RPC_PORT: String(ports[0]) }),
      fleet.video([], { DYN_TCP_RPC_PORT: String(ports[1]) }),
    ])
    const { url } = await fleet.frontend(['--worker-address', ports.map((port) => `tcp://127.0.0.1:${port}`).join(',')])
    await untilReady(url, 2)
    expect((await paint(url, picture)).headers.get('x-worker-id')).toBe(image.id)
    expect((await postJson(url, '/v1/videos', clip)).headers.get('x-worker-id')).toBe(video.id)
    await image.kill()
    await eventually('it is gone', async () => (await workersOf(url)).length === 1)
  })

  const hasNats = needsNats()
  test.skipIf(!hasNats)('NATS for everything: large files in parts, a cancel, a killed worker', async () => {
    const nats = await startNats()
    ending.push(() => nats.stop())
    const fleet = fleetOn({
      ...{ DYN_DISCOVERY_BACKEND: 'nats', DYN_REQUEST_PLANE: 'nats', DYN_EVENT_PLANE: 'nats' },
      NATS_SERVER: `nats://127.0.0.1:${nats.port}`,
    })
    const [{ url }, image] = await Promise.all([fleet.frontend(), fleet.image(), fleet.video()])
    await untilReady(url, 2)
    const { data } = await bodyOf(paint(url, { ...picture, size: '2048x2048', num_inference_steps: 1, output_compression: 0 }))
    expect((await (await fetch(data[0].url)).bytes()).length).toBeGreaterThan(1 << 20)
    expect((await postJson(url, '/v1/videos', clip)).status).toBe(200)
    const stop = new AbortController()
    const job = paint(url, endless, { signal: stop.signal }).catch((error: Error) => error.name)
    await running(url, 1)
    stop.abort()
    expect(await job).toBe('AbortError')
    expect((await paint(url, picture)).status).toBe(200)
    const dying = paint(url, endless)
    await running(url, 1)
    await image.kill()
    expect((await bodyOf(dying)).error.code).toBe('engine_unavailable')
  })
})
