// Prefill and decode workers as processes of their own: pairs by themselves, cancels, and kill -9 of either side in the middle.
import { afterEach, expect, test } from 'bun:test'
import { chat, type Fleet, type FleetWorker, startFleet, streamChat } from '../helpers/processes/fleet.ts'
import { until } from '../helpers/run-request.ts'

const fleets: Fleet[] = []
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.stop()
}, 30_000)

const prefill = ['--disaggregation-mode', 'prefill']
const decode = ['--disaggregation-mode', 'decode']
const slow = ['--speedup-ratio', '1']

/** A frontend and workers of the given arguments, all known to it. */
async function pairs(...workers: string[][]): Promise<{ url: string; workers: FleetWorker[]; fleet: Fleet }> {
  const fleet = startFleet()
  fleets.push(fleet)
  const [{ url }, ...made] = await Promise.all([fleet.frontend(), ...workers.map((args) => fleet.worker(args))])
  await known(url, made.length)
  // A worker is listed as soon as it is found, its model served when the files are there.
  await until('the model is served', async () => ((await (await fetch(`${url}/v1/models`)).json()) as { data: unknown[] }).data.length > 0)
  return { url, workers: made, fleet }
}

interface Told {
  worker_id: string
  ready: boolean
  in_flight: number
  ranks: { booked: { requests: number; prefillTokens: number; decodeBlocks: number } }[]
}
const told = async (url: string) => ((await (await fetch(`${url}/debug/workers`)).json()) as { workers: Told[] }).workers
const known = (url: string, count: number) =>
  until(`${count} workers`, async () => (await told(url)).filter((worker) => worker.ready).length === count)
const empty = (url: string) =>
  until('nothing runs, nothing is booked', async () =>
    (await told(url)).every(({ in_flight, ranks }) => in_flight === 0 && ranks.every(({ booked }) => booked.requests === 0)),
  )
const textOf = async (response: Response) => {
  expect(response.status).toBe(200)
  return ((await response.json()) as { choices: { message: { content: string } }[] }).choices.map((choice) => choice.message.content)
}
const sides = (response: Response) => [response.headers.get('x-prefill-worker-id'), response.headers.get('x-worker-id')]
const words = 'One machine reads, the other one writes. '.repeat(10)

test('a prefill and a decode worker answer as one, n choices too, and the headers name both', async () => {
  const alone = await pairs([])
  const expected = await textOf(await chat(alone.url, words))
  const { url, workers } = await pairs(prefill, decode)
  const answer = await chat(url, words)
  expect(sides(answer)).toEqual(workers.map((worker) => worker.id))
  expect(await textOf(answer)).toEqual(expected)
  const again = await chat(url, words, { more: { n: 3 } })
  expect(Number(again.headers.get('x-kv-overlap'))).toBeGreaterThan(50)
  expect(await textOf(again)).toEqual([...expected, ...expected, ...expected])
  await empty(url)
}, 60_000)

test('a prefill worker that comes is used, one that goes is not missed where aggregated workers are', async () => {
  const { url, fleet } = await pairs([], decode)
  expect(sides(await chat(url, words))[0]).toBeNull()
  const first = await fleet.worker(prefill)
  await known(url, 3)
  expect(sides(await chat(url, words))[0]).toBe(first.id)
  await first.kill()
  await until('it is gone', async () => (await told(url)).length === 2)
  expect((await chat(url, words)).status).toBe(200)
}, 60_000)

test('kill -9 of the decode worker in mid-answer: the answer goes through prefill again and ends with the same text', async () => {
  const { url, workers } = await pairs(prefill, [...decode, ...slow], [...decode, ...slow])
  const calm = await streamChat(url, words, { maxTokens: 80 })
  let killed: FleetWorker | undefined
  const text = await streamChat(url, words, { maxTokens: 80 }, (chunks, response) => {
    if (chunks !== 20) return
    killed = workers.find((worker) => worker.id === response.headers.get('x-worker-id'))
    void killed!.kill()
  })
  expect(killed).toBeDefined()
  expect(text).toBe(calm)
  await known(url, 2)
  await empty(url)
}, 60_000)

test('kill -9 of a prefill worker under load: every request is answered', async () => {
  const { url, workers } = await pairs([...prefill, ...slow], [...prefill, ...slow], decode)
  const calm = await textOf(await chat(url, words))
  const lanes = Array.from({ length: 30 }, () => chat(url, words))
  await Bun.sleep(15)
  await workers[0]!.kill()
  const answers = await Promise.all(lanes)
  for (const answer of answers) expect(await textOf(answer)).toEqual(calm)
  await known(url, 2)
  await empty(url)
}, 60_000)

test('clients that leave at any moment leave nothing behind', async () => {
  const { url } = await pairs([...prefill, '--speedup-ratio', '4'], [...decode, '--speedup-ratio', '4'])
  const lane = async (from: number) => {
    for (let i = 0; i < 15; i++) {
      const stop = new AbortController()
      setTimeout(() => stop.abort(), (from * 7 + i * 13) % 60)
      const body = { model: 'models/tiny-llm', prompt: `${words} ${from} ${i}`, max_tokens: 300, stream: true, ignore_eos: true }
      const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: stop.signal }
      await fetch(`${url}/v1/completions`, asked)
        .then((response) => response.text())
        .catch(() => '')
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, i) => lane(i)))
  await empty(url)
  expect((await chat(url, words)).status).toBe(200)
}, 60_000)
