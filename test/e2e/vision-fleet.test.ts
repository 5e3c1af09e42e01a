// What users of a fleet see whose pictures are encoded by workers of their own: answers as from one process, whatever happens to the encoders.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { needsNats, startNats } from '../helpers/processes/broker.ts'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { eventually, productCommand, type Started, start } from '../helpers/processes/start.ts'
import { found, look, metricOf, model, patchesInWork, readyEncoders, visionFleets } from '../helpers/processes/vision-fleet.ts'
import { tinyTower } from '../helpers/vision-fixtures.ts'

setDefaultTimeout(120_000)

let whole: Started
beforeAll(async () => {
  whole = await start({ args: ['--model-path', model, '--enable-multimodal'] })
})
afterAll(() => whole.stop())

const { fleetOf, ending } = visionFleets()

/** A picture takes about a tenth of a second. */
const slow = ['--speedup-ratio', '0.05']
const misses = 'dynamo_component_embedding_cache_misses_total'
const hits = 'dynamo_component_embedding_cache_hits_total'
const encoded = 'dynamo_component_vision_encoder_pictures_total'

const pictures = (count: number, from: number) => Promise.all(Array.from({ length: count }, (_, i) => pngOf(112, 84, from + i)))
/** Answers of one process that encodes its pictures itself. */
const undisturbed = (files: Uint8Array[]) => Promise.all(files.map((file) => look(whole.url, [file])))

test('encode, prefill and decode together: the same answers as from one process; a picture that is known is not encoded again', async () => {
  const fleet = fleetOf()
  const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder()])
  await found(url, language, 1)
  const [a, b] = (await pictures(2, 1)) as [Uint8Array, Uint8Array]
  expect(await look(url, [a, b])).toBe(await look(whole.url, [a, b]))
  expect([await language.metric(misses), await encoder.metric(encoded)]).toEqual([2, 2])
  expect(await look(url, [b], 'And this one?')).toBe(await look(whole.url, [b], 'And this one?'))
  expect([await language.metric(misses), await language.metric(hits), await encoder.metric(encoded)]).toEqual([2, 1, 2])
  // Another language worker does not know it, the encode worker does.
  const other = await fleet.language()
  await eventually('the encoder was found', async () => (await other.metric(readyEncoders)) === 1)
  await language.kill()
  await eventually('the other one answers', async () => (await look(url, [a])) === (await look(whole.url, [a])))
  expect([await encoder.metric(hits), await encoder.metric(encoded)]).toEqual([1, 2])
})

test('several language workers: a picture that one of them had encoded is in the cache of the encode worker that the others ask', async () => {
  const fleet = fleetOf()
  const [{ url }, one, other, ...encoders] = await Promise.all([
    ...([fleet.frontend(), fleet.language(), fleet.language()] as const),
    ...([fleet.encoder(), fleet.encoder(), fleet.encoder()] as const),
  ])
  for (const language of [one, other]) await found(url, language, 3)
  const files = await pictures(12, 101)
  const expected = await undisturbed(files)
  for (const { id } of [one, other]) {
    // What others have in work is told a moment later.
    await eventually('all are known to be idle', async () => (await other.metric(patchesInWork)) === 0)
    for (const [i, file] of files.entries())
      expect(await look(url, [file], undefined, { 'x-dynamo-worker-instance-id': id })).toBe(expected[i]!)
  }
  const sum = async (name: string) =>
    (await Promise.all(encoders.map((encoder) => encoder.metric(name)))).reduce((all, each) => all + each, 0)
  expect([await one.metric(misses), await other.metric(misses), await sum(encoded), await sum(hits)]).toEqual([12, 12, 12, 12])
})

test('encode, prefill and decode apart: the same answers', async () => {
  const fleet = fleetOf()
  const [{ url }, prefill, , encoder] = await Promise.all([
    fleet.frontend(),
    fleet.language(['--disaggregation-mode', 'prefill']),
    fleet.language(['--disaggregation-mode', 'decode']),
    fleet.encoder(['--disaggregation-mode', 'encode']),
  ])
  await eventually('the encoder was found', async () => (await prefill.metric(readyEncoders)) === 1)
  const files = await pictures(3, 11)
  const expected = await undisturbed(files)
  await eventually('both halves are there', async () => (await look(url, [files[0]!])) === expected[0])
  expect(await Promise.all(files.map((file) => look(url, [file])))).toEqual(expected)
  expect(await prefill.metric(misses)).toBe(3)
  await encoder.kill()
  expect(await look(url, await pictures(1, 19))).toStartWith('503 encoder_unavailable')
  expect(await look(url, [], 'Hi')).toBe(await look(whole.url, [], 'Hi'))
})

test('200 pictures at once while encode workers are killed, stopped, stand still and come back: each is answered, and with its picture', async () => {
  const fleet = fleetOf()
  const [{ url }, first, second] = await Promise.all([fleet.frontend(), fleet.language(), fleet.language()])
  const [a, b, c] = await Promise.all([fleet.encoder(slow), fleet.encoder(slow), fleet.encoder(slow)])
  for (const one of [first, second]) await found(url, one, 3)
  const files = await pictures(200, 1000)
  const expected = await undisturbed(files)
  expect(new Set(expected).size).toBe(200)
  let answered = 0
  const answers = Promise.all(
    files.map(async (file) => {
      const answer = await look(url, [file])
      answered++
      return answer
    }),
  )
  const reach = (count: number) => eventually(`${count} are answered`, async () => answered >= count, 60_000)
  await reach(10)
  await a.kill()
  const d = await fleet.encoder(slow)
  await reach(40)
  process.kill(b.pid, 'SIGSTOP')
  try {
    await reach(80)
    await d.kill()
    await fleet.encoder(slow)
  } finally {
    process.kill(b.pid, 'SIGCONT')
  }
  await reach(120)
  expect(await c.stop(20_000)).toBe(0)
  await fleet.encoder(slow)
  expect(await answers).toEqual(expected)
  expect((await first.metric(misses)) + (await second.metric(misses))).toBe(200)
})

test('100 large pictures at once: more than a connection holds, and none is lost', async () => {
  const fleet = fleetOf()
  const [{ url }, language] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(), fleet.encoder()])
  await found(url, language, 2)
  const files = await Promise.all(Array.from({ length: 10 }, (_, i) => pngOf(1200, 900, 500 + i)))
  expect(files[0]!.length).toBeGreaterThan(1_000_000)
  const expected = await undisturbed(files)
  expect(await Promise.all(Array.from({ length: 100 }, (_, i) => look(url, [files[i % 10]!])))).toEqual(
    Array.from({ length: 100 }, (_, i) => expected[i % 10]!),
  )
  expect(await language.metric(misses)).toBe(10)
})

test.skipIf(!needsNats())('the same over NATS alone: discovery, pictures, rows and events', async () => {
  const nats = await startNats()
  ending.push(nats.stop)
  const planes = { DYN_DISCOVERY_BACKEND: 'nats', DYN_REQUEST_PLANE: 'nats', DYN_EVENT_PLANE: 'nats' }
  const fleet = fleetOf({ ...planes, NATS_SERVER: `nats://127.0.0.1:${nats.port}` })
  const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder()])
  await found(url, language, 1)
  const large = await pngOf(1200, 900, 71)
  expect(await look(url, [large])).toBe(await look(whole.url, [large]))
  expect(await encoder.metric(encoded)).toBe(1)
})

test('without an encoder text is served, pictures fail within seconds and say why; with the next encoder they are answered', async () => {
  const fleet = fleetOf()
  const [{ url }, language] = await Promise.all([fleet.frontend(), fleet.language()])
  const [known, other] = (await pictures(2, 21)) as [Uint8Array, Uint8Array]
  await found(url, language, 0)
  const failures = await Promise.all(Array.from({ length: 8 }, () => look(url, [known])))
  for (const failure of failures) expect(failure).toStartWith('503 encoder_unavailable')
  // That many failures of an engine would have opened the router's breaker.
  expect(await look(url, [], 'Hi')).toBe(await look(whole.url, [], 'Hi'))
  const encoder = await fleet.encoder()
  await eventually('the encoder was found', async () => (await language.metric(readyEncoders)) === 1)
  expect(await look(url, [known])).toBe(await look(whole.url, [known]))
  await encoder.kill()
  await eventually('it is missed', async () => (await look(url, [other])).startsWith('503 encoder_unavailable'))
  expect(await look(url, [known])).toBe(await look(whole.url, [known]))
  await fleet.encoder()
  await eventually('it is back', async () => (await look(url, [other])) === (await look(whole.url, [other])))
})

test('serve with encoders of its own, in one process', async () => {
  const serving = await start({ args: ['--model-path', model, '--dedicated-mm-encoder', '--vision-encoders', '2'] })
  try {
    const files = await pictures(20, 31)
    expect(await Promise.all(files.map((file) => look(serving.url, [file])))).toEqual(await undisturbed(files))
    expect([await metricOf(serving.url, encoded), await metricOf(serving.url, readyEncoders)]).toEqual([20, 2])
  } finally {
    expect(await serving.stop()).toBe(0)
  }
})

const tower = await tinyTower('tiny-vl')

test.skipIf(!need('an exported tower (a Python with onnx)', tower !== undefined))(
  'our own tower in a process of its own, in serve and in a worker',
  async () => {
    const onnx = ['--vision-encoder', 'onnx', '--vision-tower', tower!.tower, '--vision-device', 'cpu', '--vision-threads', '1']
    const [file] = (await pictures(1, 81)) as [Uint8Array]
    const expected = await look(whole.url, [file])
    const serving = await start({ args: ['--model-path', model, '--dedicated-mm-encoder', ...onnx] })
    try {
      expect([await look(serving.url, [file]), await metricOf(serving.url, encoded)]).toEqual([expected, 1])
    } finally {
      expect(await serving.stop()).toBe(0)
    }
    const fleet = fleetOf()
    const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(), fleet.encoder(onnx)])
    await found(url, language, 1)
    expect([await look(url, [file]), await encoder.metric(encoded)]).toEqual([expected, 1])
    const { workers } = (await (await fetch(`${encoder.system}/health`)).json()) as {
      workers: { engine: { kind: string }; ranks: { canary: string }[] }[]
    }
    expect(workers).toMatchObject([{ engine: { kind: 'onnx' }, ranks: [{ canary: 'passed' }] }])
  },
)

test('serve whose pictures are encoded by workers elsewhere', async () => {
  const fleet = fleetOf()
  const [{ url }, encoder] = await Promise.all([
    fleet.serve(['--model-path', model, '--dedicated-mm-encoder', '--vision-encoders', '0']),
    fleet.encoder(),
  ])
  const [file] = (await pictures(1, 61)) as [Uint8Array]
  await eventually('the encoder was found', async () => (await metricOf(url, readyEncoders)) === 1)
  expect(await look(url, [file])).toBe(await look(whole.url, [file]))
  expect(await encoder.metric(encoded)).toBe(1)
})

test('a processor of the documents’ scripts starts nothing, answers probes and stays until it is stopped', async () => {
  const fleet = fleetOf()
  const port = freePort()
  const processor = await fleet.process(['worker', '--multimodal-processor', '--model-path', 'Qwen/Qwen2.5-VL-7B-Instruct'], {
    ready: /Processor: frontends read/,
    env: { DYN_SYSTEM_PORT: String(port) },
  })
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
  expect(await processor.stop()).toBe(0)
})

/** What a command of ours says that ends at its start. */
async function refused(...args: string[]): Promise<string> {
  const child = Bun.spawn([...productCommand(), ...args, '--engine', 'mock'], { stderr: 'pipe', stdout: 'ignore' })
  const said = await child.stderr.text()
  expect(await child.exited).toBeGreaterThan(0)
  return said
}

test('a model whose pictures cannot be encoded apart is refused at start, with the reason; a missing tower too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llava-'))
  cpSync(model, folder, { recursive: true })
  const config = { ...(await Bun.file(join(model, 'config.json')).json()), model_type: 'llava', image_token_index: 1022 }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const apart = /SGLang's split of vision and language does not take llava/
  expect(await refused('serve', '--dedicated-mm-encoder', '--model-path', folder, '--http-port', '0')).toMatch(apart)
  expect(await refused('worker', '--multimodal-worker', '--model-path', folder)).toMatch(apart)
  const encode = ['worker', '--multimodal-encode-worker', '--model-path']
  expect(await refused(...encode, folder)).toMatch(apart)
  expect(await refused(...encode, 'models/tiny-llm')).toMatch(/text model/)
  expect(await refused(...encode, model, '--vision-encoder', 'onnx', '--vision-tower', '/nowhere.onnx')).toMatch(/export-vision/)
  rmSync(folder, { recursive: true })
})
