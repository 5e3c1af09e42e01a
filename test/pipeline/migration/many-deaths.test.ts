// Many answers over workers that die all the time, through the real router: every one equals the undisturbed one, and nothing stays booked.
import { expect, test } from 'bun:test'
import { mockEngine } from '../../../src/engine/mock/engine.ts'
import { log } from '../../../src/lib/log.ts'
import { migrations } from '../../../src/lib/metrics.ts'
import { modelRegistry } from '../../../src/pipeline/model.ts'
import { createPipeline } from '../../../src/pipeline/pipeline.ts'
import type { TextRequest } from '../../../src/pipeline/types.ts'
import { createRouter } from '../../../src/router/create.ts'
import { defaultRouterOptions } from '../../../src/router/options.ts'
import { workerSet } from '../../../src/router/workers.ts'
import { letterTokenizer } from '../../helpers/fakes/letter-tokenizer.ts'
import { listener } from '../../helpers/fakes/listener.ts'

const letters = Array.from({ length: 26 }, (_, i) => 97 + i)
const mock = () =>
  mockEngine({ modelPath: 'letters', vocabSize: 1000, contextLength: 4096, eosIds: [0], textIds: letters, speedupRatio: 20 })

const requestOf = (i: number): TextRequest => ({
  requestId: `r${i}`,
  model: 'letters',
  receivedAt: 0,
  prompt: { kind: 'text', text: `prompt number ${i} `.repeat(1 + (i % 7)), addSpecial: false },
  sampling: { temperature: 0, max_new_tokens: 60 + ((i * 37) % 200), ignore_eos: true },
  stops: [],
  includeStop: false,
  n: i % 10 === 0 ? 3 : 1,
  stream: i % 2 === 0,
  echo: false,
  skipSpecial: true,
})

async function serve(count: number) {
  const workers = workerSet()
  const engines = Array.from({ length: count }, mock)
  await Promise.all(engines.map((engine) => engine.start()))
  for (const [i, engine] of engines.entries()) workers.add({ id: `w${i}`, engine })
  const router = createRouter(workers, defaultRouterOptions)
  const models = modelRegistry()
  models.add({
    served: { id: 'letters', aliases: [], createdSecs: 0, contextLength: 4096, isEmbedding: false },
    tokenizer: letterTokenizer(),
    template: undefined,
    samplingDefaults: {},
    engineTokenizes: false,
    migrationLimit: 100,
    router,
    info: engines[0]!.info,
  })
  return { pipeline: createPipeline(models), router, engines }
}

const migrated = async () => (await migrations.get()).values.reduce((sum, { value }) => sum + value, 0)

async function answers(pipeline: Awaited<ReturnType<typeof serve>>['pipeline'], count: number) {
  const all = Array.from({ length: count }, async (_, i) => {
    await Bun.sleep(i * 2)
    const heard = listener()
    await pipeline.run(requestOf(i), heard.sink, new AbortController().signal)
    return { texts: heard.texts, last: heard.heard.at(-1), tokens: heard.usage?.completionTokens }
  })
  return Promise.all(all)
}

test('100 answers, a worker dies every few milliseconds', async () => {
  const level = log.level
  log.level = 'silent'
  const calm = await serve(2)
  const expected = await answers(calm.pipeline, 100)
  const { pipeline, router, engines } = await serve(4)
  const before = await migrated()
  let deaths = 0
  const killer = setInterval(() => {
    // One always lives.
    const engine = engines[deaths % 3]!
    if (engine.ready && deaths++ < 60) void engine.control('crash', { restartMs: 20 })
  }, 15)
  const found = await answers(pipeline, 100)
  clearInterval(killer)
  log.level = level
  expect((await migrated()) - before).toBeGreaterThan(50)
  expect(found).toEqual(expected)
  expect(router.booked()).toEqual({ requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 })
  expect(engines.reduce((sum, engine) => sum + engine.inFlight(), 0)).toBe(0)
  router.close()
  calm.router.close()
  await Promise.all([...engines, ...calm.engines].map((engine) => engine.stop(0)))
}, 60_000)
