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
import { padPictures } from '../../../src/lib/media-pads.ts'
import { visionModelOf } from '../../../src/media/vision/open.ts'
import { createRouter, type ModelRouter } from '../../../src/router/create.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { workerSet } from '../../../src/router/workers.ts'
import { clipRequests } from '../../helpers/clip-requests.ts'
import { hasFfmpeg } from '../../helpers/clips.ts'
import { need } from '../../helpers/need.ts'
import { pngOf, withPictures } from '../../helpers/pictures.ts'
import { type Ran, requestOf, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../../helpers/sglang.ts'
import { tinyEncoderOptions, tinyTower } from '../../helpers/vision-fixtures.ts'
import { hasHostNixl } from '../../sglang/nixl.ts'

const python = sglangPython()
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-epd-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const startMs = 600_000
const vision = { start: 1019, end: 1020 }
const seeing = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']
// As in test/engine/sglang/disagg.test.ts.
const roleArgs = {
  aggregated: [],
  prefill: ['--disaggregation-mode', 'prefill', '--disable-overlap-schedule', '--disaggregation-transfer-backend', 'nixl'],
  decode: [
    '--disaggregation-mode',
    'decode',
    '--disaggregation-decode-retraction-backup',
    'cpu_tensor',
    '--disaggregation-transfer-backend',
    'nixl',
  ],
}

describe.skipIf(!need('SGLang with NIXL (bun run sglang:setup)', hasHostNixl(python)))('encode, prefill and decode apart', () => {
  const requests: GenerateRequest[] = []
  const expected: Ran[] = []
  let encoder: VisionEncoder
  let prefill: Engine
  let decode: SglangEngine
  let router: ModelRouter

  beforeAll(async () => {
    const made = (await tinyTower('tiny-vl'))!
    const make = (role: keyof typeof roleArgs) =>
      sglangEngine({
        python: python!,
        args: [...cpuArgs(made.modelPath), ...seeing, ...roleArgs[role]],
        env: { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1' },
        cacheDir,
      })
    const sight = (await visionModelOf(made.modelPath))!
    const picture = [vision.start, sight.imageTokenId, vision.end]
    const [a, b, big] = await Promise.all([pngOf(112, 84, 1), pngOf(200, 120, 2), pngOf(640, 480, 3)])
    const ask = async (ids: number[], files: Uint8Array[]) =>
      requests.push(requestOf([], { max_new_tokens: 24, ignore_eos: true }, await withPictures(sight, ids, files)))
    await ask([70, 71, ...picture, 72, 73], [a])
    await ask([70, ...picture, 72, ...picture, 74, 75], [a, b])
    await ask([...Array.from({ length: 100 }, (_, k) => 60 + (k % 200)), ...picture, 72], [big])
    await ask([70, 71, 72], [])
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
    const workers = workerSet()
    workers.add({ id: 'p1', engine: prefill })
    workers.add({ id: 'd1', engine: decode })
    router = createRouter(workers, defaultRouterOptions)
  }, startMs)
  afterAll(async () => {
    router?.close()
    await Promise.all([prefill?.stop(0), decode?.stop(0), encoder?.stop()])
  }, startMs)

  async function ask(request: GenerateRequest, signal = new AbortController().signal): Promise<Ran> {
    const routeIds = request.media === undefined ? request.promptIds : padPictures(request.promptIds, request.media, 'wide')
    const lease = await router.place({ requestId: request.requestId, promptIds: routeIds }, signal)
    const ran = await runRequest(lease.engine as Engine, request, signal, () => lease.started())
    lease.release({ ...(ran.usage && { usage: ran.usage }), ...(ran.error && { error: ran.error }) })
    return ran
  }
  const idle = async () => {
    await until('no request in any leg', () => prefill.inFlight() + decode.inFlight() === 0)
    expect(router.booked()).toEqual({ requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 })
  }

  test('answers are those of the engine that does it all', async () => {
    for (const [i, request] of requests.entries()) {
      const ran = await ask(request)
      expect(ran.error).toBeUndefined()
      expect(ran.ids).toEqual(expected[i]!.ids)
    }
    await idle()
  }, 120_000)

  test('together, and twice', async () => {
    const all = await Promise.all([...requests, ...requests].map((request) => ask(request)))
    expect(all.map(({ ids }) => ids)).toEqual([...expected, ...expected].map(({ ids }) => ids))
    await idle()
  }, 120_000)

  test('a client that leaves while its picture is encoded frees both legs', async () => {
    const [, , request] = requests
    const other = { ...request!, media: request!.media!.map((item) => ({ ...item, hash: `ee${item.hash.slice(2)}` })) }
    const gone = new AbortController()
    const ran = ask(other, gone.signal)
    setTimeout(() => gone.abort(), 5)
    expect((await ran).finish).toMatchObject({ kind: 'abort' })
    await idle()
    expect((await ask(requests[0]!)).ids).toEqual(expected[0]!.ids)
  }, 60_000)

  test('a picture that cannot be encoded ends both legs with its reason', async () => {
    const [request] = requests
    const broken = {
      ...request!,
      media: request!.media!.map((item) => ({ ...item, hash: 'bb'.repeat(32), file: new TextEncoder().encode('no picture') })),
    }
    const { error, finish } = await ask(broken)
    expect(error ?? finish).toMatchObject({ ...(error ? { code: 'invalid_image' } : { kind: 'abort' }) })
    await idle()
    expect((await ask(requests[0]!)).ids).toEqual(expected[0]!.ids)
  }, 60_000)
})
