// A real SGLang whose pictures are encoded by other processes, as a platform team runs them: in float32 its answers are those of the engine that does all of it.
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { eventually } from '../helpers/processes/start.ts'
import { look, metricOf, startVisionFleet, type VisionFleet } from '../helpers/processes/vision-fleet.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../helpers/sglang.ts'
import { tinyTower } from '../helpers/vision-fixtures.ts'
import { hasHostNixl } from '../sglang/nixl.ts'

setDefaultTimeout(400_000)

const python = sglangPython()
const runs = need('SGLang (bun run sglang:setup)', python !== undefined)
const made = runs ? await tinyTower('tiny-vl') : undefined
const nixl = need('NIXL that moves host memory (bun run sglang:setup)', hasHostNixl(python))

const sglang = (...more: string[]) => [
  ...['--engine', 'sglang', '--python', python ?? '', ...cpuArgs('models/tiny-vl')],
  ...['--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32', ...more],
]
const env = { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1', DYN_DISCOVERY_BACKEND: 'file', DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS: '0.2' }
const onnx = ['--engine', 'sglang', '--vision-encoder', 'onnx', '--vision-device', 'cpu', '--vision-threads', '1', '--dtype', 'float32']
const ready = 'dynamo_component_vision_encoder_ready'
const encoded = 'dynamo_component_vision_encoder_pictures_total'

const fleets: VisionFleet[] = []
const folder = mkdtempSync(join(tmpdir(), 'vision-split-'))
afterAll(async () => {
  await Promise.all(fleets.map((fleet) => fleet.stop()))
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

function fleetOf(name: string): VisionFleet {
  const fleet = startVisionFleet({ ...env, DYN_FILE_KV: join(folder, name) }, 300_000)
  fleets.push(fleet)
  return fleet
}

async function answersOf(url: string): Promise<string[]> {
  const [a, b, big] = await Promise.all([pngOf(112, 84, 1), pngOf(200, 120, 2), pngOf(640, 480, 3)])
  const long = 'What do you see in this picture? '.repeat(20)
  await eventually('the model is served', async () => (await fetch(`${url}/ready`)).ok, 240_000)
  return [await look(url, [a]), await look(url, [a, b]), await look(url, [big], long), await look(url, [], 'Hi')]
}

let whole: string[]

test.skipIf(made === undefined)('one engine that does all of it', async () => {
  const fleet = fleetOf('whole')
  const [{ url }] = await Promise.all([fleet.frontend(), fleet.worker(sglang('--enable-multimodal'))])
  whole = await answersOf(url)
  expect(whole.filter((answer) => /^\d{3} /.test(answer))).toEqual([])
  await fleet.stop()
})

test.skipIf(made === undefined)('our encoder in a process of its own', async () => {
  const fleet = fleetOf('onnx')
  const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(sglang()), fleet.encoder(onnx)])
  await eventually('the encoder was found', async () => (await language.metric(ready)) === 1)
  expect(await answersOf(url)).toEqual(whole)
  expect(await metricOf(encoder.system, encoded)).toBe(3)
  await encoder.kill()
  expect((await answersOf(url)).at(-1)).toBe(whole.at(-1)!)
  expect(await look(url, [await pngOf(84, 84, 9)])).toStartWith('503 encoder_unavailable')
  await fleet.stop()
})

test.skipIf(made === undefined)('SGLang’s encoder in a process of its own', async () => {
  const fleet = fleetOf('sglang')
  const encoder = ['--vision-encoder', 'sglang', ...sglang()]
  const [{ url }, language] = await Promise.all([fleet.frontend(), fleet.language(sglang()), fleet.encoder(encoder)])
  await eventually('the encoder was found', async () => (await language.metric(ready)) === 1)
  expect(await answersOf(url)).toEqual(whole)
  await fleet.stop()
})

test.skipIf(made === undefined || !nixl)('encode, prefill and decode in processes of their own', async () => {
  const fleet = fleetOf('apart')
  const half = (role: string) => sglang('--disaggregation-transfer-backend', 'nixl', '--disaggregation-mode', role)
  const [{ url }, prefill] = await Promise.all([
    fleet.frontend(),
    fleet.language([...half('prefill'), '--disable-overlap-schedule']),
    fleet.language([...half('decode'), '--disaggregation-decode-retraction-backup', 'cpu_tensor']),
    fleet.encoder(onnx),
  ])
  await eventually('the encoder was found', async () => (await prefill.metric(ready)) === 1)
  expect(await answersOf(url)).toEqual(whole)
  await fleet.stop()
})
