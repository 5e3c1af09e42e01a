// Pictures and clips on a real SGLang on CPU, in float32: the answers of its own HTTP server, which reads the files itself, of the bridge on every level, which hands over files and our frames, and
// of our own tower, whose rows take the place of both. KV blocks are named as the router foresees.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../../src/engine/engine.ts'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import { httpEngine } from '../../../src/engine/sglang/http/engine.ts'
import type { EngineEvent, GenerateRequest, MediaItem } from '../../../src/engine/types.ts'
import { cachedEncoder, EmbeddingCache } from '../../../src/engine/vision/cache.ts'
import { onnxEncoder } from '../../../src/engine/vision/onnx/encoder.ts'
import { splitEngine } from '../../../src/engine/vision/split-engine.ts'
import { localHashes } from '../../../src/lib/block-hash.ts'
import { padPictures } from '../../../src/lib/media-pads.ts'
import { blockNames } from '../../helpers/block-names.ts'
import { clipRequests } from '../../helpers/clip-requests.ts'
import { hasFfmpeg } from '../../helpers/clips.ts'
import { need } from '../../helpers/need.ts'
import { pictureRequests } from '../../helpers/picture-requests.ts'
import { type SglangServer, startSglangServer } from '../../helpers/processes/sglang-server.ts'
import { pythonWith } from '../../helpers/python.ts'
import { type Ran, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../../helpers/sglang.ts'
import { tinyEncoderOptions, tinyTower } from '../../helpers/vision-fixtures.ts'

const python = sglangPython()
const withClips = need('SGLang with torchcodec (bun run sglang:setup)', pythonWith('torchcodec') !== undefined) && hasFfmpeg()
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-test-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const flags = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']

/** In the order in which they are asked. The last two are there where clips can be read. */
const [one, other, large, odd, clip, clips] = [0, 1, 3, 4, 5, 7]
const levels = { 'tiny-vl': ['L1', 'L0', 'L2'], 'tiny-vl3': ['L1', 'L2'] } as const

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined)).each(['tiny-vl', 'tiny-vl3'] as const)('%s', (name) => {
  const requests: GenerateRequest[] = []
  const answers = new Map<string, Ran[]>()
  let made: { modelPath: string; tower: string }

  beforeAll(async () => {
    made = (await tinyTower(name))!
    const pictures = await pictureRequests(made.modelPath)
    // The processor reads other ids out of the odd one's; ours must stay.
    requests.push(pictures.one, pictures.other, pictures.both, pictures.large, pictures.odd)
    if (withClips) requests.push(...(await clipRequests(made.modelPath)))
  }, 120_000)

  /** Another name keeps one's cache from answering for the other. */
  const renamed = (request: GenerateRequest, mark: string): GenerateRequest => ({
    ...request,
    media: request.media!.map((item) => ({ ...item, hash: mark + item.hash.slice(mark.length) })),
  })
  async function askAll(by: string, engine: Engine, mark = '') {
    const all: Ran[] = []
    for (const request of requests) all.push(await runRequest(engine, renamed(request, mark)))
    for (const [i, ran] of all.entries())
      expect({ by, i, error: ran.error, tokens: ran.ids.length, prompt: ran.usage?.promptTokens }).toEqual({
        ...{ by, i, error: undefined, tokens: 24 },
        // A server that reads text again cannot keep ids that no text gives.
        prompt: by === 'server' && i === odd ? expect.anything() : requests[i]!.promptIds.length,
      })
    answers.set(by, all)
  }
  const changed = (request: GenerateRequest, change: (item: MediaItem) => object) => ({
    ...request,
    media: request.media!.map((item) => ({ ...item, ...change(item) })),
  })
  const statusOf = ({ error, finish }: Ran) => error?.status ?? (finish?.kind === 'abort' ? finish.status : 200)

  describe("SGLang's own server", () => {
    let server: SglangServer
    beforeAll(async () => {
      server = await startSglangServer(python!, made.modelPath, flags)
    }, 300_000)
    afterAll(() => server?.stop(), 60_000)

    test('answers, given the files', async () => {
      const engine = httpEngine({ url: server.url })
      await engine.start()
      expect(engine.info.sight).toEqual({ clips: 'file' })
      await askAll('server', engine)
      if (withClips) {
        const chosen = changed(requests[clip]!, (item) => ({ clip: { ...item.clip!, chosen: true } }))
        expect((await runRequest(engine, chosen)).error).toMatchObject({ code: 'unsupported_parameter' })
      }
      await engine.stop(0)
    }, 120_000)
  })

  describe.each(levels[name])('the bridge on level %s', (level) => {
    let engine: SglangEngine
    const events: EngineEvent[] = []
    /** Resolves when KV events have told all blocks of it by the names that the router foresees. */
    const toldOf = async ({ promptIds, media }: GenerateRequest) => {
      const foreseen = blockNames(localHashes(padPictures(promptIds, media!, 'wide'), 16))
      expect(foreseen.length).toBeGreaterThan(10)
      const changes = () => events.flatMap((event) => (event.kind === 'kv' ? event.changes : []))
      const told = () => new Set(changes().flatMap((change) => (change.kind === 'stored' ? blockNames(change.local) : [])))
      await until('its blocks', () => foreseen.every((name) => told().has(name)))
    }
    beforeAll(async () => {
      const args = [...cpuArgs(made.modelPath), ...flags]
      engine = sglangEngine({ python: python!, args, env: cpuEnv(), cacheDir, level, kvEvents: true })
      engine.on((event) => events.push(event))
      await engine.start()
    }, 300_000)
    afterAll(() => engine?.stop(0), 60_000)

    test('answers, given files and our frames', async () => {
      expect(engine.info.sight).toEqual({ padScheme: 'wide', clips: 'frames' })
      await askAll(level, engine)
      const ids = (i: number) => answers.get(level)![i]!.ids
      expect(ids(one)).not.toEqual(ids(other))
      if (withClips) expect(ids(clip)).not.toEqual(ids(clip + 1))
    }, 120_000)

    test.each([['a picture', large], ...(withClips ? [['clips', clips] as const] : [])] as const)(
      '%s again: in the cache, in KV blocks that have the names which the router foresees',
      async (_, i) => {
        const again = await runRequest(engine, requests[i]!)
        expect(again.usage!.cachedTokens).toBeGreaterThan(requests[i]!.promptIds.length - 32)
        expect(again.ids).toEqual(answers.get(level)![i]!.ids)
        await toldOf(requests[i]!)
      },
      60_000,
    )

    test('a file that is no picture, a clip that does not fit its grid or is none: refused, and the engine goes on', async () => {
      const refusal = async (i: number, change: object) =>
        statusOf(
          await runRequest(
            engine,
            changed(requests[i]!, () => change),
          ),
        )
      expect(await refusal(one, { file: new TextEncoder().encode('no picture') })).toBe(400)
      if (withClips)
        // There SGLang itself takes it apart, and calls it its own fault.
        for (const change of [
          { frames: requests[clip]!.media![0]!.frames!.slice(0, 2) },
          { frames: [new Uint8Array(100)] },
          { clip: undefined },
        ])
          expect([400, level === 'L2' ? 500 : 400]).toContain((await refusal(clip, change)) ?? 0)
      for (const i of withClips ? [one, clip] : [one])
        expect((await runRequest(engine, requests[i]!)).ids).toEqual(answers.get(level)![i]!.ids)
    }, 60_000)

    // Rows go the same way in on the two lower levels, and on the highest in the fields of SGLang's own requests as pictures do.
    if (level === 'L1')
      describe('given rows of our tower', () => {
        const cache = new EmbeddingCache(64 << 20)
        const encoder = () => cachedEncoder(onnxEncoder(tinyEncoderOptions(made, { type: 'float32' })), cache)
        let split: Engine
        let stop = async () => {}
        beforeAll(async () => {
          const tower = encoder()
          await tower.start()
          stop = () => tower.stop()
          split = splitEngine(engine, tower)
        }, 60_000)
        afterAll(() => stop())

        test('answers', async () => {
          await askAll('tower', split, 'ab')
          // The text before the first picture at most.
          for (const [i, ran] of answers.get('tower')!.entries()) {
            const { promptIds, media } = requests[i]!
            if (i < odd) expect(ran.usage!.cachedTokens).toBeLessThanOrEqual(promptIds.indexOf(media![0]!.placeholder))
          }
        }, 120_000)

        test('the same picture again is encoded once, and its KV is there, under foreseen names', async () => {
          const { misses } = cache.figures
          const request = renamed(requests[large]!, 'ab')
          const again = await runRequest(split, request)
          expect(again.usage!.cachedTokens).toBeGreaterThan(200)
          expect(cache.figures.misses).toBe(misses)
          await toldOf(request)
        }, 60_000)

        test('rows that do not fit are refused before SGLang hears of them', async () => {
          const withRows = changed(requests[one]!, ({ tokens }) => ({
            rows: { rows: tokens, dim: 64, type: 'float32', bytes: new Uint8Array(tokens * 256) },
          }))
          const short = async (change: (item: MediaItem) => object) => statusOf(await runRequest(engine, changed(withRows, change)))
          expect(await short(({ rows }) => ({ rows: { ...rows!, rows: rows!.rows - 1, bytes: rows!.bytes.subarray(256) } }))).toBe(400)
          expect(await short(({ grid }) => ({ grid: [1, grid[1], grid[2] + 2] }))).toBe(400)
          expect((await runRequest(engine, requests[one]!)).error).toBeUndefined()
        }, 60_000)
      })
  })

  test('all give the same answers', () => {
    expect([...answers.keys()]).toEqual(['server', 'L1', 'tower', ...levels[name].slice(1)])
    const ids = (by: string) => answers.get(by)!.map((ran) => ran.ids)
    const told = (by: string) => ids(by).filter((_, i) => i !== odd)
    for (const by of ['tower', ...levels[name]]) expect({ by, ids: told(by) }).toEqual({ by, ids: told('server') })
    for (const by of ['tower', ...levels[name]]) expect({ by, ids: ids(by)[odd]! }).toEqual({ by, ids: ids('L1')[odd]! })
  })
})
