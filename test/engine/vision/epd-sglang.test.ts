// Encode, prefill and decode apart: our tower, two real SGLangs on CPU, KV over NIXL. In float32 the answers are those of one SGLang that does it all.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../../src/engine/engine.ts'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import type { GenerateRequest } from '../../../src/engine/types.ts'
import { cachedEncoder, EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { onnxEncoder } from '../../../src/engine/vision/onnx/encoder.ts'
import { splitEngine } from '../../../src/engine/vision/split-engine.ts'
import type { VisionEncoder } from '../../../src/engine/vision/vision.ts'
import { clipRequests } from '../../helpers/clip-requests.ts'
import { hasFfmpeg } from '../../helpers/clips.ts'
import { type Halves, halfArgs, halvesOf } from '../../helpers/halves.ts'
import { need } from '../../helpers/need.ts'
import { pictureRequests } from '../../helpers/picture-requests.ts'
import { type Ran, runRequest } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../../helpers/sglang.ts'
import { tinyEncoderOptions, tinyTower } from '../../helpers/vision-fixtures.ts'
import { hasHostNixl } from '../../sglang/nixl.ts'

const python = sglangPython()
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-epd-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const startMs = 600_000
const seeing = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']

describe.skipIf(!need('SGLang with NIXL (bun run sglang:setup)', hasHostNixl(python)))('encode, prefill and decode apart', () => {
  const requests: GenerateRequest[] = []
  const expected: Ran[] = []
  let encoder: VisionEncoder
  let prefill: Engine
  let decode: SglangEngine
  let halves: Halves

  beforeAll(async () => {
    const made = (await tinyTower('tiny-vl'))!
    const make = (role: keyof typeof halfArgs) =>
      sglangEngine({
        python: python!,
        args: [...cpuArgs(made.modelPath), ...seeing, ...halfArgs[role]],
        env: { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1' },
        cacheDir,
      })
    const { one, both, large, alone } = await pictureRequests(made.modelPath)
    requests.push(one, both, large, alone)
    // A picture between two clips.
    if (hasFfmpeg()) requests.push((await clipRequests(made.modelPath))[2]!)

    const whole = make('aggregated')
    await whole.start()
    for (const request of requests) expected.push(await runRequest(whole, request))
    await whole.stop(0)
    encoder = cachedEncoder(onnxEncoder(tinyEncoderOptions(made, { type: 'float32' })), new EmbeddingCache(64 << 20))
    const apart = make('prefill')
    decode = make('decode')
    await Promise.all([encoder.start(), apart.start(), decode.start()])
    prefill = splitEngine(apart, encoder)
    halves = halvesOf(prefill, decode)
  }, startMs)
  afterAll(async () => {
    halves?.close()
    await Promise.all([prefill?.stop(0), decode?.stop(0), encoder?.stop()])
  }, startMs)

  test('answers are those of the engine that does it all', async () => {
    for (const [i, request] of requests.entries()) {
      const ran = await halves.ask(request)
      expect(ran.error).toBeUndefined()
      expect(ran.ids).toEqual(expected[i]!.ids)
    }
    await halves.idle()
  }, 120_000)

  test('together, and twice', async () => {
    const all = await Promise.all([...requests, ...requests].map((request) => halves.ask(request)))
    expect(all.map(({ ids }) => ids)).toEqual([...expected, ...expected].map(({ ids }) => ids))
    await halves.idle()
  }, 120_000)

  test('a client that leaves while its picture is encoded frees both legs', async () => {
    const [, , request] = requests
    const other = { ...request!, media: request!.media!.map((item) => ({ ...item, hash: `ee${item.hash.slice(2)}` })) }
    const gone = new AbortController()
    const ran = halves.ask(other, gone.signal)
    setTimeout(() => gone.abort(), 5)
    expect((await ran).finish).toMatchObject({ kind: 'abort' })
    await halves.idle()
    expect((await halves.ask(requests[0]!)).ids).toEqual(expected[0]!.ids)
  }, 60_000)

  test('a picture that cannot be encoded ends both legs with its reason', async () => {
    const [request] = requests
    const broken = {
      ...request!,
      media: request!.media!.map((item) => ({ ...item, hash: 'bb'.repeat(32), file: new TextEncoder().encode('no picture') })),
    }
    const { error, finish } = await halves.ask(broken)
    expect(error ?? finish).toMatchObject({ ...(error ? { code: 'invalid_image' } : { kind: 'abort' }) })
    await halves.idle()
    expect((await halves.ask(requests[0]!)).ids).toEqual(expected[0]!.ids)
  }, 60_000)
})
