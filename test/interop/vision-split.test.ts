// A real SGLang whose pictures and clips are encoded by other processes, as a platform team runs them: in float32 its answers are those of the engine that does all of it.
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clipOf, hasFfmpeg } from '../helpers/clips.ts'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { eventually } from '../helpers/processes/start.ts'
import { look, metricOf, startVisionFleet, type VisionFleet } from '../helpers/processes/vision-fleet.ts'
import { pythonWith } from '../helpers/python.ts'
import { cpuArgs, cpuEnv } from '../helpers/sglang.ts'
import { tinyTower } from '../helpers/vision-fixtures.ts'
import { hasHostNixl } from '../sglang/nixl.ts'

setDefaultTimeout(400_000)

const python = pythonWith('torchcodec')
const runs = need('SGLang with torchcodec (bun run sglang:setup)', python !== undefined) && hasFfmpeg()
const nixl = need('NIXL that moves host memory (bun run sglang:setup)', hasHostNixl(python))

const env = { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1', DYN_DISCOVERY_BACKEND: 'file', DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS: '0.2' }
const ready = 'dynamo_component_vision_encoder_ready'
const encoded = 'dynamo_component_vision_encoder_pictures_total'

const fleets: VisionFleet[] = []
const folder = mkdtempSync(join(tmpdir(), 'vision-split-'))
afterAll(async () => {
  await Promise.all(fleets.map((fleet) => fleet.stop()))
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

describe.skipIf(!runs).each(['tiny-vl', 'tiny-vl3'] as const)('%s', (name) => {
  const model = `models/${name}`
  const sglang = (...more: string[]) => [
    ...['--engine', 'sglang', '--python', python!, ...cpuArgs(model)],
    ...['--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32', ...more],
  ]
  const tower = ['--vision-encoder', 'onnx', '--vision-device', 'cpu', '--vision-threads', '1', '--dtype', 'float32']
  const onnx = ['--engine', 'sglang', '--model-path', model, ...tower]

  function fleetOf(kind: string): VisionFleet {
    const fleet = startVisionFleet({ ...env, DYN_FILE_KV: join(folder, `${name}-${kind}`) }, 300_000)
    fleets.push(fleet)
    return fleet
  }

  const ask = (url: string, files: readonly Uint8Array[], text?: string, clips: readonly Uint8Array[] = []) =>
    look(url, files, text, {}, { model, clips })

  /** One picture, two, one after a long text, a clip, a clip beside a picture, and none. Other ones of another `set`, which no cache has. */
  async function answersOf(url: string, set: 1 | 2): Promise<string[]> {
    const [a, b, big] = await Promise.all([pngOf(112, 84, set), pngOf(200, 120, 2 * set), pngOf(640, 480, 3 * set)])
    const clip = clipOf({ secs: 2, source: set === 1 ? 'testsrc' : 'testsrc2' })
    const long = 'What do you see in this picture? '.repeat(20)
    await eventually('the model is served', async () => (await fetch(`${url}/ready`)).ok, 240_000)
    return [
      ...[await ask(url, [a]), await ask(url, [a, b]), await ask(url, [big], long)],
      ...[await ask(url, [], 'And in this clip?', [clip]), await ask(url, [b], 'And in these?', [clip]), await ask(url, [], 'Hi')],
    ]
  }

  let whole: Record<1 | 2, string[]>

  test('one engine that does all of it', async () => {
    await tinyTower(name)
    const fleet = fleetOf('whole')
    const [{ url }] = await Promise.all([fleet.frontend(), fleet.worker(sglang('--enable-multimodal'))])
    whole = { 1: await answersOf(url, 1), 2: await answersOf(url, 2) }
    const all = [...whole[1], ...whole[2]]
    expect(all.filter((answer) => /^\d{3} /.test(answer))).toEqual([])
    // All but the text alone are of different pictures.
    expect(new Set(all).size).toBe(all.length - 1)
    await fleet.stop()
  })

  test('our encoder in a process of its own, then SGLang’s in its place', async () => {
    const fleet = fleetOf('encoders')
    const [{ url }, language, encoder] = await Promise.all([fleet.frontend(), fleet.language(sglang()), fleet.encoder(onnx)])
    await eventually('the encoder was found', async () => (await language.metric(ready)) === 1)
    expect(await answersOf(url, 1)).toEqual(whole[1])
    expect(await metricOf(encoder.system, encoded)).toBe(4)
    await encoder.kill()
    // Text, and a picture whose rows are here, need none.
    expect([await ask(url, [await pngOf(112, 84, 1)]), await ask(url, [], 'Hi')]).toEqual([whole[1][0]!, whole[1].at(-1)!])
    expect(await ask(url, [await pngOf(84, 84, 9)])).toStartWith('503 encoder_unavailable')
    await fleet.encoder(['--vision-encoder', 'sglang', ...sglang()])
    await eventually('the other encoder was found', async () => (await language.metric(ready)) === 1)
    expect(await answersOf(url, 2)).toEqual(whole[2])
    await fleet.stop()
  })

  if (nixl)
    test('encode, prefill and decode in processes of their own', async () => {
      const fleet = fleetOf('apart')
      const half = (role: string) => sglang('--disaggregation-transfer-backend', 'nixl', '--disaggregation-mode', role)
      const [{ url }, prefill] = await Promise.all([
        fleet.frontend(),
        fleet.language([...half('prefill'), '--disable-overlap-schedule']),
        fleet.language([...half('decode'), '--disaggregation-decode-retraction-backup', 'cpu_tensor']),
        fleet.encoder(onnx),
      ])
      await eventually('the encoder was found', async () => (await prefill.metric(ready)) === 1)
      expect(await answersOf(url, 1)).toEqual(whole[1])
      await fleet.stop()
    })
})
