// Clips, and pictures among them, on a real SGLang on CPU, in float32: the answers of its own HTTP server, which samples the same file itself, of the bridge, which hands over our frames, and
// of our own tower, whose rows take the place of both.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../../src/engine/engine.ts'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import { httpEngine } from '../../../src/engine/sglang/http/engine.ts'
import type { EngineEvent, GenerateRequest, KvStored } from '../../../src/engine/types.ts'
import { onnxEncoder } from '../../../src/engine/vision/onnx/encoder.ts'
import { splitEngine } from '../../../src/engine/vision/split-engine.ts'
import { localHashes } from '../../../src/lib/block-hash.ts'
import { padPictures } from '../../../src/lib/media-pads.ts'
import { clipRequests } from '../../helpers/clip-requests.ts'
import { hasFfmpeg } from '../../helpers/clips.ts'
import { need } from '../../helpers/need.ts'
import { startSglangServer } from '../../helpers/processes/sglang-server.ts'
import { pythonWith } from '../../helpers/python.ts'
import { type Ran, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv } from '../../helpers/sglang.ts'
import { tinyEncoderOptions, tinyTower } from '../../helpers/vision-fixtures.ts'

const python = pythonWith('torchcodec')
const can = need('SGLang with torchcodec (bun run sglang:setup)', python !== undefined) && hasFfmpeg()
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-test-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const flags = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']

describe.skipIf(!can).each(['tiny-vl', 'tiny-vl3'] as const)('%s', (name) => {
  const requests: GenerateRequest[] = []
  const answers = new Map<string, Ran[]>()
  let model: string

  beforeAll(async () => {
    model = (await tinyTower(name))!.modelPath
    requests.push(...(await clipRequests(model)))
  }, 120_000)

  async function askAll(by: string, engine: Engine, mark = '') {
    const all: Ran[] = []
    for (const request of requests) {
      // Another name keeps one's cache from answering for the other.
      const media = request.media!.map((item) => ({ ...item, hash: mark + item.hash.slice(mark.length) }))
      all.push(await runRequest(engine, { ...request, media }))
    }
    for (const [i, ran] of all.entries())
      expect({ error: ran.error, finish: ran.finish, tokens: ran.ids.length, prompt: ran.usage?.promptTokens }).toEqual({
        error: undefined,
        finish: expect.anything(),
        tokens: 24,
        prompt: requests[i]!.promptIds.length,
      })
    answers.set(by, all)
  }

  test('SGLang’s own server, given the files', async () => {
    const server = await startSglangServer(python!, model, flags)
    const engine = httpEngine({ url: server.url })
    try {
      await engine.start()
      expect(engine.info.sight).toEqual({ clips: 'file' })
      await askAll('server', engine)
      const chosen = requests[0]!.media!.map((item) => ({ ...item, clip: { ...item.clip!, chosen: true } }))
      expect((await runRequest(engine, { ...requests[0]!, media: chosen })).error).toMatchObject({ code: 'unsupported_parameter' })
    } finally {
      await engine.stop(0)
      await server.stop()
    }
  }, 400_000)

  describe('the bridge', () => {
    const events: EngineEvent[] = []
    let engine: SglangEngine
    beforeAll(async () => {
      engine = sglangEngine({ python: python!, args: [...cpuArgs(model), ...flags], env: cpuEnv(false), cacheDir, kvEvents: true })
      engine.on((event) => events.push(event))
      await engine.start()
    }, 300_000)
    afterAll(() => engine?.stop(0), 60_000)

    test('given our frames', async () => {
      expect(engine.info.sight).toEqual({ padScheme: 'wide', clips: 'frames' })
      await askAll('bridge', engine)
      expect(answers.get('bridge')![0]!.ids).not.toEqual(answers.get('bridge')![1]!.ids)
    }, 120_000)

    test('given rows of our tower', async () => {
      const made = (await tinyTower(name))!
      const encoder = onnxEncoder(tinyEncoderOptions(made, { type: 'float32' }))
      await encoder.start()
      try {
        await askAll('tower', splitEngine(engine, encoder), 'ab')
        // The text before the first picture at most.
        for (const [i, ran] of answers.get('tower')!.entries()) {
          const { promptIds, media } = requests[i]!
          expect(ran.usage!.cachedTokens).toBeLessThanOrEqual(promptIds.indexOf(media![0]!.placeholder))
        }
      } finally {
        await encoder.stop()
      }
    }, 120_000)

    test.each([
      [2, 'clip'],
      [4, 'picture'],
    ])(
      'request %d: the same %s again is in the cache, and KV blocks have the names that the router foresees',
      async (i) => {
        const { promptIds, media } = requests[i]!
        const again = await runRequest(engine, requests[i]!)
        expect(again.usage!.cachedTokens).toBeGreaterThan(promptIds.length - 32)
        expect(again.ids).toEqual(answers.get('bridge')![i]!.ids)
        const foreseen = localHashes(padPictures(promptIds, media!, 'wide'), 16)
        const stored = () =>
          events.flatMap((event) => (event.kind === 'kv' ? event.changes : [])).filter((change) => change.kind === 'stored') as KvStored[]
        const has = ({ local, parent }: KvStored) =>
          parent === null && local.length >= foreseen.length && foreseen.every((word, at) => local[at] === word)
        expect(foreseen.length).toBeGreaterThan(20)
        await until('its blocks', () => stored().some(has))
      },
      60_000,
    )

    test('a clip that does not fit its grid, or is none, is refused, and the engine goes on', async () => {
      const [request] = requests as [GenerateRequest]
      const refusal = async (change: object) => {
        const ran = await runRequest(engine, { ...request, media: request.media!.map((item) => ({ ...item, ...change })) })
        return ran.error?.status ?? (ran.finish?.kind === 'abort' ? ran.finish.status : 200)
      }
      expect(await refusal({ frames: request.media![0]!.frames!.slice(0, 2) })).toBe(400)
      expect(await refusal({ frames: [new Uint8Array(100)] })).toBe(400)
      expect(await refusal({ clip: undefined })).toBe(400)
      expect((await runRequest(engine, request)).ids).toEqual(answers.get('bridge')![0]!.ids)
    }, 60_000)
  })

  // Its way in is another, the fields of SGLang's own requests, and the same for every model: one is enough, the one whose pictures SGLang names in two ways.
  if (name === 'tiny-vl3')
    test('the bridge on level L2', async () => {
      const args = [...cpuArgs(model), ...flags]
      const engine = sglangEngine({ python: python!, args, env: cpuEnv(false), cacheDir, level: 'L2' })
      await engine.start()
      try {
        await askAll('L2', engine)
      } finally {
        await engine.stop(0)
      }
    }, 300_000)

  test('all give the same answers', () => {
    const ids = (by: string) => answers.get(by)!.map((ran) => ran.ids)
    expect(ids('bridge')).toEqual(ids('server'))
    expect(ids('tower')).toEqual(ids('server'))
    if (answers.has('L2')) expect(ids('L2')).toEqual(ids('server'))
  })
})
