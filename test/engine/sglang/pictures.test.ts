// Pictures through the bridge to a real SGLang on CPU: on every level the answers of its own HTTP server, and KV blocks named as we foresee.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import { httpEngine } from '../../../src/engine/sglang/http/engine.ts'
import type { SglangOptions } from '../../../src/engine/sglang/options.ts'
import type { EngineEvent, GenerateRequest, KvStored } from '../../../src/engine/types.ts'
import { localHashes } from '../../../src/lib/block-hash.ts'
import { padPictures } from '../../../src/lib/media-pads.ts'
import { need } from '../../helpers/need.ts'
import { pictureRequests } from '../../helpers/picture-requests.ts'
import { type SglangServer, startSglangServer } from '../../helpers/processes/sglang-server.ts'
import { type Ran, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../../helpers/sglang.ts'
import { visionFixture } from '../../helpers/vision-fixtures.ts'

const python = sglangPython()
const model = await visionFixture('tiny-vl')
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-test-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const flags = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined))('pictures', () => {
  const requests: GenerateRequest[] = []
  beforeAll(async () => {
    const { one, other, both, large, odd } = await pictureRequests(model)
    // The processor reads other ids out of the odd one's; ours must stay.
    requests.push(one, other, both, large, odd)
  })

  const answers = new Map<string, Ran[]>()
  async function askAll(name: string, engine: { generate: SglangEngine['generate'] } & object) {
    const all: Ran[] = []
    for (const request of requests) all.push(await runRequest(engine as SglangEngine, request))
    for (const ran of all) expect({ error: ran.error, tokens: ran.ids.length }).toEqual({ error: undefined, tokens: 24 })
    answers.set(name, all)
  }

  describe.each(['L1', 'L0', 'L2'] as const)('%s', (level: NonNullable<SglangOptions['level']>) => {
    let engine: SglangEngine
    const events: EngineEvent[] = []
    beforeAll(async () => {
      engine = sglangEngine({ python: python!, args: [...cpuArgs(model), ...flags], env: cpuEnv(), cacheDir, level, kvEvents: true })
      engine.on((event) => events.push(event))
      await engine.start()
    }, 300_000)
    afterAll(() => engine?.stop(0), 60_000)

    test('answers', async () => {
      expect(engine.info.sight).toMatchObject({ padScheme: 'wide' })
      await askAll(level, engine)
      const [one, other] = answers.get(level)!
      expect(one!.ids).not.toEqual(other!.ids)
      for (const [i, ran] of answers.get(level)!.entries()) expect(ran.usage!.promptTokens).toBe(requests[i]!.promptIds.length)
    }, 120_000)

    test('the same picture again is in the cache, another one of its size is not', async () => {
      const again = await runRequest(engine, requests[3]!)
      expect(again.usage!.cachedTokens).toBeGreaterThan(300)
      expect(again.ids).toEqual(answers.get(level)![3]!.ids)
    }, 60_000)

    test('KV blocks have the names that the router foresees', async () => {
      const { promptIds, media } = requests[3]!
      const foreseen = localHashes(padPictures(promptIds, media!, 'wide'), 16)
      const stored = () =>
        events.flatMap((event) => (event.kind === 'kv' ? event.changes : [])).filter((change) => change.kind === 'stored') as KvStored[]
      const has = () =>
        stored().some(({ local, parent }) => parent === null && foreseen.every((word, i) => i >= local.length || local[i] === word))
      await until('the blocks of the picture', has)
      expect(foreseen.length).toBeGreaterThan(40)
    }, 30_000)

    test('a file that is no picture is refused, and the engine goes on', async () => {
      const { media, ...rest } = requests[0]!
      const ran = await runRequest(engine, { ...rest, media: [{ ...media![0]!, file: new TextEncoder().encode('no picture') }] })
      expect(ran.error ?? ran.finish).toMatchObject(ran.error ? { status: 400 } : { kind: 'abort', status: 400 })
      expect((await runRequest(engine, requests[0]!)).ids).toEqual(answers.get(level)![0]!.ids)
    }, 60_000)
  })

  describe('http', () => {
    let server: SglangServer
    beforeAll(async () => {
      server = await startSglangServer(python!, model, flags)
    }, 300_000)
    afterAll(() => server?.stop(), 60_000)
    test('answers', async () => {
      const engine = httpEngine({ url: server.url })
      await engine.start()
      expect(engine.info.sight).toBeDefined()
      await askAll('http', engine as never)
      await engine.stop(0)
    }, 120_000)
  })

  test('all give the same answers', () => {
    expect([...answers.keys()]).toEqual(['L1', 'L0', 'L2', 'http'])
    // The last one has ids that a server which reads text again cannot keep.
    for (const level of ['L1', 'L0', 'L2'])
      expect(
        answers
          .get(level)!
          .slice(0, 4)
          .map((ran) => ran.ids),
      ).toEqual(
        answers
          .get('http')!
          .slice(0, 4)
          .map((ran) => ran.ids),
      )
    expect(answers.get('L0')![4]!.ids).toEqual(answers.get('L1')![4]!.ids)
  })
})
