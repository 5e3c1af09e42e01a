// A real SGLang (CPU, float32) is killed in the middle of answers: once it is back, each goes on from its ids and equals the undisturbed one.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SglangEngine, sglangEngine } from '../../src/engine/sglang/engine.ts'
import { migrations } from '../../src/lib/metrics.ts'
import { modelRegistry } from '../../src/pipeline/model.ts'
import { createPipeline } from '../../src/pipeline/pipeline.ts'
import type { TextRequest } from '../../src/pipeline/types.ts'
import { loadTokenizer } from '../../src/tokenizer/hf.ts'
import { type FirstRouter, firstRouter } from '../helpers/fakes/first-router.ts'
import { type Listener, listener } from '../helpers/fakes/listener.ts'
import { request as usualRequest } from '../helpers/fakes/served-letters.ts'
import { need } from '../helpers/need.ts'
import { until } from '../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../helpers/sglang.ts'

const python = sglangPython()
const model = tinyModel()
const schema = JSON.stringify({
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 40, maxLength: 60 },
    list: { type: 'array', items: { enum: ['x', 'y', 'zz'] }, minItems: 20, maxItems: 20 },
  },
  required: ['name', 'list'],
  additionalProperties: false,
})
const long = { temperature: 0, max_new_tokens: 200, ignore_eos: true }
// Not under penalties: what SGLang counts for them depends on the prefills of other requests (test/engine/sglang/bridge/answers.py has them, one by one).
const requests: [string, TextRequest['sampling'], Partial<TextRequest>?][] = [
  ['log-probabilities', long, { topLogprobs: 2 }],
  ['a JSON schema', { temperature: 0, max_new_tokens: 300, json_schema: schema }],
  ['a regex', { temperature: 0, max_new_tokens: 900, regex: '\\{"list":\\[("(red|green|blue)",){40}"end"\\]\\}' }],
  ...Array.from({ length: 7 }, (_, i): [string, TextRequest['sampling']] => [`plain ${i}`, long]),
]

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && model !== undefined))('killed SGLang', () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-migrate-'))
  let engine: SglangEngine
  let router: FirstRouter
  let pipeline: ReturnType<typeof createPipeline>

  beforeAll(async () => {
    engine = sglangEngine({ python: python!, args: [...cpuArgs(model!), '--dtype', 'float32'], env: cpuEnv(), cacheDir })
    const info = await engine.start()
    router = firstRouter({ w0: engine })
    const models = modelRegistry()
    models.add({
      served: { id: 'tiny', aliases: [], createdSecs: 0, contextLength: info.contextLength, isEmbedding: false },
      tokenizer: await loadTokenizer(model!),
      template: undefined,
      samplingDefaults: {},
      engineTokenizes: false,
      // SGLang needs its time to come back.
      migrationWaitMs: 240_000,
      router,
      info,
    })
    pipeline = createPipeline(models)
  }, 300_000)
  afterAll(async () => {
    await engine?.stop(0)
    rmSync(cacheDir, { recursive: true, force: true })
  }, 60_000)

  const all = (onText: (count: number) => void = () => {}): Promise<Listener[]> =>
    Promise.all(
      requests.map(async ([name, sampling, more], i) => {
        const heard = listener(onText)
        const request: TextRequest = {
          ...usualRequest,
          requestId: name,
          model: 'tiny',
          receivedAt: performance.now(),
          prompt: { kind: 'ids', ids: Uint32Array.from({ length: 30 }, (_, at) => 20 + i * 31 + at) },
          sampling,
          ...more,
        }
        await pipeline.run(request, heard.sink, new AbortController().signal)
        return heard
      }),
    )

  test('answers equal the undisturbed ones', async () => {
    const calm = await all()
    let texts = 0
    const cut = all(() => texts++)
    await until('all are in the middle', () => texts > 500, 60_000)
    process.kill(engine.pids[1]!, 'SIGKILL')
    const heard = await cut
    for (const [i, [name]] of requests.entries()) {
      expect([name, heard[i]!.error?.message]).toEqual([name, undefined])
      expect([name, [...heard[i]!.finishes[0]!.ids]]).toEqual([name, [...calm[i]!.finishes[0]!.ids]])
      expect(heard[i]!.texts).toEqual(calm[i]!.texts)
      expect(heard[i]!.usage!.completionTokens).toBe(calm[i]!.usage!.completionTokens)
    }
    expect(heard[0]!.logprobs[0]!.map(({ id }) => id)).toEqual(calm[0]!.logprobs[0]!.map(({ id }) => id))
    // A random model may fill the schema's answer with blanks until its length is over; the regex has none.
    if (heard[1]!.finishes[0]!.reason === 'stop') expect(Object.keys(JSON.parse(heard[1]!.texts[0]!))).toEqual(['name', 'list'])
    expect(JSON.parse(heard[2]!.texts[0]!).list.length).toBe(41)
    const moved = (await migrations.get()).values.reduce((sum, { value }) => sum + value, 0)
    expect(moved).toBeGreaterThanOrEqual(5)
    expect(router.booked().requests).toBe(0)
  }, 400_000)
})
