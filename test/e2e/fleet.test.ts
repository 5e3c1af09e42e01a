// frontend and worker apart, found through a folder: `DYN_DISCOVERY_BACKEND=file DYN_FILE_KV=DIR` and nothing else.
import { afterEach, expect, test } from 'bun:test'
import { chat, type Fleet, startFleet, streamChat } from '../helpers/processes/fleet.ts'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { until } from '../helpers/run-request.ts'

const fleets: Fleet[] = []
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.stop()
}, 30_000)

function fleet(): Fleet {
  const made = startFleet()
  fleets.push(made)
  return made
}
const words = 'The router sends each prompt to the worker that already holds the longest part of it. '.repeat(8)
const models = async (url: string) =>
  ((await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }).data.map((one) => one.id)
const served = (url: string) => until('a model is served', async () => (await models(url)).length > 0)
const workersOf = async (url: string) =>
  ((await (await fetch(`${url}/debug/workers`)).json()) as { workers: { worker_id: string; ready: boolean }[] }).workers
const known = (url: string, count: number) =>
  until(`${count} workers`, async () => (await workersOf(url)).filter((worker) => worker.ready).length === count)

test('a prompt goes to the worker that holds it, and the headers say so', async () => {
  const { worker, frontend } = fleet()
  const [{ url }, a, b] = await Promise.all([frontend(), worker(), worker()])
  await known(url, 2)
  await served(url)
  const first = await chat(url, words)
  expect(first.status).toBe(200)
  const place = first.headers.get('x-worker-id')!
  expect([a.id, b.id]).toContain(place)
  expect(first.headers.get('x-dp-rank')).toBe('0')
  const again = await chat(url, `${words} And now?`)
  expect(again.headers.get('x-worker-id')).toBe(place)
  expect(Number(again.headers.get('x-kv-overlap'))).toBeGreaterThan(100)
  const { usage } = (await again.json()) as { usage: { prompt_tokens_details: { cached_tokens: number } } }
  expect(usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(100)
}, 60_000)

test('a killed worker is forgotten, its stream goes on elsewhere with the same text', async () => {
  const { worker, frontend } = fleet()
  const [{ url }, a, b] = await Promise.all([frontend(), worker(['--speedup-ratio', '1']), worker(['--speedup-ratio', '1'])])
  await known(url, 2)
  await served(url)
  const calm = await streamChat(url, 'Count to a hundred.', { maxTokens: 100 })
  let killed: Promise<void> | undefined
  const text = await streamChat(url, 'Count to a hundred.', { maxTokens: 100 }, (chunks, response) => {
    if (chunks !== 20) return
    killed = [a, b].find((one) => one.id === response.headers.get('x-worker-id'))!.kill()
  })
  expect(killed).toBeDefined()
  expect(text).toBe(calm)
  await known(url, 1)
  await until('the dead one is not listed', async () => (await workersOf(url)).length === 1)
}, 60_000)

test('without a worker: 503 with Retry-After while it may come back', async () => {
  const { worker, frontend } = fleet()
  const [{ url }, only] = await Promise.all([frontend(), worker()])
  await served(url)
  await only.kill()
  await until('nobody is left', async () => (await workersOf(url)).length === 0)
  const refused = await chat(url, 'Hello?')
  expect(refused.status).toBe(503)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  await worker()
  await known(url, 1)
  expect((await chat(url, 'Hello again!')).status).toBe(200)
}, 60_000)

test('a worker that is told to stop finishes its streams; nothing new goes there', async () => {
  const { worker, frontend } = fleet()
  const [{ url }, a, b] = await Promise.all([frontend(), worker(['--speedup-ratio', '1']), worker(['--speedup-ratio', '1'])])
  await known(url, 2)
  await served(url)
  let code: Promise<number> | undefined
  let left = ''
  const text = await streamChat(url, 'Tell me a story.', { maxTokens: 150 }, (chunks, response) => {
    if (chunks !== 10) return
    left = response.headers.get('x-worker-id')!
    code = [a, b].find((one) => one.id === left)!.stop(20_000)
  })
  expect(text.length).toBeGreaterThan(100)
  expect(await code!).toBe(0)
  expect((await chat(url, 'Tell me a story.')).headers.get('x-worker-id')).not.toBe(left)
}, 60_000)

test('a new frontend knows at once what the workers hold', async () => {
  const { worker, frontend } = fleet()
  const [old] = await Promise.all([frontend(), worker(), worker()])
  await known(old.url, 2)
  await served(old.url)
  const place = (await chat(old.url, words)).headers.get('x-worker-id')
  await old.kill()
  const { url } = await frontend()
  await known(url, 2)
  await served(url)
  await until('the index is there', async () => {
    const body = JSON.stringify({ model: 'models/tiny-llm', messages: [{ role: 'user', content: words }] })
    const asked = await fetch(`${url}/debug/route`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const { candidates } = (await asked.json()) as { candidates: { overlap: { device: number } }[] }
    return candidates.some(({ overlap }) => overlap.device > 5)
  })
  const again = await chat(url, words)
  expect(again.headers.get('x-worker-id')).toBe(place)
  expect(Number(again.headers.get('x-kv-overlap'))).toBeGreaterThan(100)
}, 60_000)

test('several models behind one frontend', async () => {
  const { worker, frontend } = fleet()
  const [{ url }, a, b] = await Promise.all([
    frontend(),
    worker(['--served-model-name', 'first,alias']),
    worker(['--served-model-name', 'second']),
  ])
  await until('both', async () => {
    const ids = await models(url)
    return ids.includes('first') && ids.includes('second')
  })
  expect((await chat(url, 'Hi', { model: 'alias' })).headers.get('x-worker-id')).toBe(a.id)
  expect((await chat(url, 'Hi', { model: 'second' })).headers.get('x-worker-id')).toBe(b.id)
  expect((await chat(url, 'Hi', { model: 'third' })).status).toBe(404)
}, 60_000)

test('two frontends on one port', async () => {
  const { worker, frontend } = fleet()
  const first = await frontend(['--reuse-port'])
  const port = new URL(first.url).port
  await Promise.all([frontend(['--reuse-port', '--http-port', port]), worker()])
  await served(first.url)
  for (let i = 0; i < 8; i++) expect((await chat(first.url, `Hello ${i}`)).status).toBe(200)
}, 60_000)

test('serve with discovery: its engine and a worker elsewhere are one pool, and other frontends see both', async () => {
  const { worker, frontend, serve } = fleet()
  const [own, other, apart] = await Promise.all([serve(), frontend(), worker()])
  for (const { url } of [own, other]) {
    await known(url, 2)
    await served(url)
    expect((await workersOf(url)).map((one) => one.worker_id)).toContain(apart.id)
  }
  const elsewhere = { 'x-dynamo-worker-instance-id': apart.id }
  expect((await chat(own.url, 'Hello', { headers: elsewhere })).headers.get('x-worker-id')).toBe(apart.id)
  expect(await own.stop(20_000)).toBe(0)
  await known(other.url, 1)
}, 60_000)

test('workers at fixed addresses, for a frontend and for a serve that has an engine of its own', async () => {
  const made = startFleet({ DYN_DISCOVERY_BACKEND: 'static', DYN_TCP_RPC_HOST: '127.0.0.1' })
  fleets.push(made)
  const [of, own] = [freePort(), freePort()]
  const apart = await made.worker([], { DYN_TCP_RPC_PORT: String(of) })
  const serve = await made.serve(['--worker-address', `tcp://127.0.0.1:${of}`], { DYN_TCP_RPC_PORT: String(own) })
  const frontend = await made.frontend(['--worker-address', `tcp://127.0.0.1:${of},tcp://127.0.0.1:${own}`])
  for (const { url } of [serve, frontend]) {
    await known(url, 2)
    const ids = (await workersOf(url)).map((one) => one.worker_id)
    expect(ids).toContain(apart.id)
    await served(url)
    for (const id of ids)
      expect((await chat(url, 'Hello?', { more: { nvext: { backend_instance_id: id } } })).headers.get('x-worker-id')).toBe(id)
  }
}, 60_000)
