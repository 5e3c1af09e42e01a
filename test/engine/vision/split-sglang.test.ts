// A real SGLang on CPU (0.5.23 serves Qwen2.5-VL there; its scheduler dies of any picture of Qwen3-VL's) whose pictures are encoded by our own tower: in float32 its answers are those of the aggregated engine, token for token.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../../src/engine/engine.ts'
import { sglangEngine } from '../../../src/engine/sglang/engine.ts'
import type { EngineEvent, GenerateRequest, KvStored, MediaItem } from '../../../src/engine/types.ts'
import { cachedEncoder, EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { onnxEncoder } from '../../../src/engine/vision/onnx/encoder.ts'
import { splitEngine } from '../../../src/engine/vision/split-engine.ts'
import { localHashes } from '../../../src/lib/block-hash.ts'
import { padPictures } from '../../../src/lib/media-pads.ts'
import { need } from '../../helpers/need.ts'
import { pictureRequests } from '../../helpers/picture-requests.ts'
import { runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../../helpers/sglang.ts'
import { tinyEncoderOptions, tinyTower } from '../../helpers/vision-fixtures.ts'

const python = sglangPython()
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-test-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const flags = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined)).each(['tiny-vl'] as const)('%s', (name) => {
  const requests: GenerateRequest[] = []
  const events: EngineEvent[] = []
  const cache = new EmbeddingCache(64 << 20)
  let engine: Engine
  let split: Engine
  let stopEncoder = async () => {}

  beforeAll(async () => {
    const made = (await tinyTower(name))!
    const { one, both, large } = await pictureRequests(made.modelPath)
    requests.push(one, both, large)
    const encoder = cachedEncoder(onnxEncoder(tinyEncoderOptions(made, { type: 'float32' })), cache)
    await encoder.start()
    stopEncoder = () => encoder.stop()
    engine = sglangEngine({ python: python!, args: [...cpuArgs(made.modelPath), ...flags], env: cpuEnv(false), cacheDir, kvEvents: true })
    engine.on((event) => events.push(event))
    await engine.start()
    split = splitEngine(engine, encoder)
  }, 300_000)
  afterAll(async () => {
    await engine?.stop(0)
    await stopEncoder()
  }, 60_000)

  /** Another name keeps one's cache from answering for the other. */
  const renamed = (request: GenerateRequest, mark: string): GenerateRequest => ({
    ...request,
    media: request.media!.map((item) => ({ ...item, hash: mark + item.hash.slice(mark.length) })),
  })

  test('its answers are those of the tower inside SGLang', async () => {
    for (const request of requests) {
      const [whole, apart] = [await runRequest(engine, request), await runRequest(split, renamed(request, 'ab'))]
      expect(apart.error).toBeUndefined()
      expect(apart.usage!.cachedTokens).toBeLessThan(112)
      expect(apart.ids).toEqual(whole.ids)
      expect(apart.usage!.promptTokens).toBe(request.promptIds.length)
    }
  }, 120_000)

  test('the same picture again is encoded once, and its KV is there', async () => {
    const { misses } = cache.figures
    const again = await runRequest(split, renamed(requests[2]!, 'ab'))
    expect(again.usage!.cachedTokens).toBeGreaterThan(200)
    expect(cache.figures.misses).toBe(misses)
  }, 60_000)

  test('KV blocks have the names that the router foresees', async () => {
    const { promptIds, media } = renamed(requests[2]!, 'ab')
    const foreseen = localHashes(padPictures(promptIds, media!, 'wide'), 16)
    const stored = () =>
      events.flatMap((event) => (event.kind === 'kv' ? event.changes : [])).filter((change) => change.kind === 'stored') as KvStored[]
    // The 112 first tokens are text, which the aggregated request had stored already.
    const after = (change: KvStored) =>
      foreseen.findIndex((_, i) => i % 2 === 0 && change.local.every((word, k) => foreseen[i + k] === word))
    await until('the blocks of the picture', () => stored().some((change) => change.local.length > 10 && after(change) >= 0))
  }, 30_000)

  test('rows that do not fit are refused before SGLang hears of them', async () => {
    const [request] = requests as [GenerateRequest, ...GenerateRequest[]]
    const short = async (change: (item: MediaItem) => Partial<MediaItem>) => {
      const rows = { rows: 0, dim: 64, type: 'float32' as const, bytes: new Uint8Array() }
      const media = request.media!.map((item) => ({
        ...item,
        rows: { ...rows, rows: item.tokens, bytes: new Uint8Array(item.tokens * 256) },
      }))
      const ran = await runRequest(engine, { ...request, media: media.map((item) => ({ ...item, ...change(item) })) })
      return ran.error?.status ?? (ran.finish?.kind === 'abort' ? ran.finish.status : 200)
    }
    expect(await short(({ rows }) => ({ rows: { ...rows!, rows: rows!.rows - 1, bytes: rows!.bytes.subarray(256) } }))).toBe(400)
    expect(await short(({ grid }) => ({ grid: [1, grid[1], grid[2] + 2] }))).toBe(400)
    expect((await runRequest(engine, request)).error).toBeUndefined()
  }, 60_000)
})
