import { expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import { mockEngine } from '../../src/engine/mock/engine.ts'
import { AppError } from '../../src/lib/errors.ts'
import { migrations } from '../../src/lib/metrics.ts'
import { type LoadedModel, modelRegistry } from '../../src/pipeline/model.ts'
import { createPipeline } from '../../src/pipeline/pipeline.ts'
import type { TextRequest } from '../../src/pipeline/types.ts'
import { type FirstRouter, firstRouter } from '../helpers/first-router.ts'
import { ids, letterTokenizer } from '../helpers/letter-tokenizer.ts'
import { type Listener, listener } from '../helpers/listener.ts'
import { type Running, scriptedEngine, scriptedInfo } from '../helpers/scripted-engine.ts'

const never = new AbortController().signal
const usage = { promptTokens: 2, completionTokens: 3, cachedTokens: 1, reasoningTokens: 0 }
const request: TextRequest = {
  requestId: 'r',
  model: 'letters',
  receivedAt: 0,
  prompt: { kind: 'text', text: 'ab', addSpecial: false },
  sampling: { temperature: 0, max_new_tokens: 40 },
  stops: [],
  includeStop: false,
  n: 1,
  stream: true,
  echo: false,
  skipSpecial: true,
}

function served(engines: Record<string, Engine>, change: Partial<LoadedModel> = {}) {
  const router = firstRouter(engines)
  const models = modelRegistry()
  models.add({
    served: { id: 'letters', aliases: [], createdSecs: 0, contextLength: 100, isEmbedding: false },
    tokenizer: letterTokenizer(),
    template: undefined,
    samplingDefaults: {},
    engineTokenizes: false,
    migrationWaitMs: 60,
    router,
    info: scriptedInfo,
    ...change,
  })
  return { pipeline: createPipeline(models), router }
}

const count = async () => (await migrations.get()).values.reduce((sum, { value }) => sum + value, 0)

/** Everything that was booked is given back, once (the router itself throws at a second time). */
function settled(router: FirstRouter): void {
  expect(router.booked().requests).toBe(0)
  expect(router.outcomes.length).toBe(router.placements.length)
}

// --- on mock engines that crash

const info = { ...scriptedInfo, contextLength: 2048, maxPromptTokens: 2000, vocabSize: 1000, eosIds: [0] }
const letters = Array.from({ length: 26 }, (_, i) => 97 + i)
const mock = (failure = '') =>
  mockEngine({
    modelPath: 'letters',
    vocabSize: 1000,
    contextLength: 2048,
    eosIds: [0],
    textIds: letters,
    speedupRatio: 200,
    failure,
    encode: (text: string) => Uint32Array.from(text, (character) => character.charCodeAt(0)),
  })

async function answered(
  change: Partial<TextRequest>,
  failures: string[],
  limit?: number,
): Promise<{ heard: Listener; router: FirstRouter }> {
  const engines = Object.fromEntries(failures.map((failure, i) => [`w${i}`, mock(failure)]))
  await Promise.all(Object.values(engines).map((engine) => engine.start()))
  const { pipeline, router } = served(engines, { info, ...(limit === undefined ? {} : { migrationLimit: limit }) })
  const heard = listener()
  await pipeline.run({ ...request, ...change }, heard.sink, never)
  settled(router)
  expect(Object.values(engines).reduce((sum, engine) => sum + engine.inFlight(), 0)).toBe(0)
  await Promise.all(Object.values(engines).map((engine) => engine.stop(0)))
  return { heard, router }
}

const schema = JSON.stringify({
  type: 'object',
  properties: { name: { type: 'string', minLength: 12 }, tags: { type: 'array', items: { type: 'string' }, minItems: 3 } },
  required: ['name', 'tags'],
})
const answers: [string, Partial<TextRequest>][] = [
  ['streamed', {}],
  ['whole', { stream: false }],
  ['to its natural end', { sampling: { temperature: 0 } }],
  ['with stop strings', { stops: ['q', 'zz'] }],
  ['with log-probabilities', { topLogprobs: 2 }],
  ['with the prompt echoed and scored', { topLogprobs: 1, echo: true }],
  ['three choices', { n: 3, sampling: { temperature: 1, sampling_seed: 7, max_new_tokens: 40 } }],
  ['under a JSON schema', { sampling: { temperature: 0, json_schema: schema } }],
  ['with a least length', { sampling: { temperature: 0, min_new_tokens: 30, max_new_tokens: 60, stop_token_ids: [101, 102, 103] } }],
]
for (const [what, change] of answers)
  test(`an answer ${what} is the same when its worker dies in the middle`, async () => {
    const calm = await answered(change, [''])
    for (const cut of [1, 7, 19]) {
      const { heard, router } = await answered(change, [`crash-after=${cut},restart=never`, `crash-after=${cut},restart=never`, ''])
      expect(heard.texts).toEqual(calm.heard.texts)
      expect(heard.logprobs).toEqual(calm.heard.logprobs)
      expect(heard.finishes).toEqual(calm.heard.finishes)
      expect(heard.usage).toEqual(calm.heard.usage)
      expect(heard.heard.at(-1)).toBe('end')
      expect(router.placements.length).toBeGreaterThan(calm.router.placements.length)
    }
  })

test('a single worker that comes back goes on with its own answer', async () => {
  const calm = await answered({}, [''])
  const { heard } = await answered({}, ['crash-after=9,restart=20'])
  expect(heard.texts).toEqual(calm.heard.texts)
})

test('choices are placed one by one, each sees the others, and a death moves only those who lived there', async () => {
  const before = await count()
  const change = { n: 4, sampling: { temperature: 1, sampling_seed: 3, max_new_tokens: 30 } }
  const calm = await answered(change, ['', ''])
  expect(calm.router.placements.length).toBe(4)
  const { heard, router } = await answered(change, ['crash-after=20,restart=never', ''])
  expect(router.placements.length).toBe(6)
  expect(router.placements.slice(4).every((placement) => placement.avoid?.has('w0'))).toBe(true)
  expect(heard.texts).toEqual(calm.heard.texts)
  expect(router.started).toBe(6)
  expect((await count()) - before).toBe(2)
})

// --- with an engine that does what the test says

type Play = (one: Running) => void
const failing =
  (row: string, error: AppError): Play =>
  (one) => {
    if (row !== '') one.sink.push(ids(row), 0, row.length, undefined)
    one.sink.fail(error)
    one.settle()
  }
const aborting =
  (row: string, finish: { message: string; status?: number }): Play =>
  (one) => {
    if (row !== '') one.sink.push(ids(row), 0, row.length, undefined)
    one.sink.end({ kind: 'abort', ...finish }, { ...usage, cachedTokens: 0 })
    one.settle()
  }
const ending =
  (row: string): Play =>
  (one) => {
    one.sink.push(ids(row), 0, row.length, undefined)
    one.sink.end({ kind: 'stop', matched: 0 }, usage)
    one.settle()
  }
const error = (code: ConstructorParameters<typeof AppError>[0]) => new AppError(code, { message: code })

async function played(plays: Play[], change: Partial<TextRequest> = {}, model: Partial<LoadedModel> = {}) {
  const engines = plays.map((play) => scriptedEngine(play))
  const { pipeline, router } = served(Object.fromEntries(engines.map((engine, i) => [`w${i}`, engine])), model)
  const heard = listener()
  await pipeline.run({ ...request, ...change }, heard.sink, never)
  settled(router)
  return { heard, router, asked: engines.map((engine) => engine.running.map((one) => one.request)) }
}

test('the next attempt gets the prompt and the ids so far, and what is left to produce', async () => {
  const sampling = { temperature: 0, max_new_tokens: 20, min_new_tokens: 4, sampling_seed: 9 }
  const { heard, router, asked } = await played([failing('xyz', error('engine_failed')), ending('w$')], {
    sampling,
    topLogprobs: 0,
    echo: true,
  })
  expect(heard.texts).toEqual(['abxyzw'])
  const [first, second] = asked.map((requests) => requests[0]!)
  expect(first).toMatchObject({ logprobs: { top: 0, promptStart: 0 }, sampling })
  expect(first!.resumed).toBeUndefined()
  expect(second).toMatchObject({ resumed: 3, logprobs: { top: 0, promptStart: -1 } })
  expect([...second!.promptIds]).toEqual([...ids('abxyz')])
  expect(second!.sampling).toEqual({ temperature: 0, max_new_tokens: 17, min_new_tokens: 1, sampling_seed: 9 })
  expect(router.placements[1]).toMatchObject({ maxNewTokens: 17, avoid: new Set(['w0']) })
  expect(heard.usage).toMatchObject({ promptTokens: 2, completionTokens: 5, cachedTokens: 1 })
  expect(router.outcomes[0]!.error?.code).toBe('engine_failed')
  expect(router.outcomes[1]!.error).toBeUndefined()
  expect(heard.answer!.workerId).toBe('w1')
})

for (const code of ['engine_failed', 'engine_unavailable', 'shutting_down', 'overloaded'] as const)
  for (const row of ['', 'xy'])
    test(`${code} after ${row.length} tokens is not seen`, async () => {
      const { heard } = await played([failing(row, error(code)), ending('z$')])
      expect(heard.texts).toEqual([`${row}z`])
      expect(heard.heard.at(-1)).toBe('end')
    })

test('an abort that nobody here asked for, and a full queue, go elsewhere', async () => {
  for (const finish of [{ message: 'Aborted' }, { message: 'full', status: 503 }]) {
    const { heard } = await played([aborting('', finish), ending('z$')])
    expect(heard.texts).toEqual(['z'])
  }
})

test('a stop string across the cut still ends the answer', async () => {
  const { heard, asked } = await played([failing('okE', error('engine_failed')), ending('NDmore')], { stops: ['END'] })
  expect(heard.texts).toEqual(['ok'])
  expect(heard.finishes[0]).toMatchObject({ reason: 'stop', matched: 'END' })
  expect(asked[1]![0]!.sampling.stop).toEqual(['END'])
})

test('a failure after the last token is no failure', async () => {
  const full = await played([failing('xyz', error('engine_failed')), ending('?')], { sampling: { max_new_tokens: 3 } })
  expect(full.heard.finishes[0]).toMatchObject({ reason: 'length' })
  const ended = await played([failing('xy$', error('engine_failed')), ending('?')])
  expect(ended.heard.finishes[0]).toMatchObject({ reason: 'stop', matched: 0 })
  expect(ended.heard.texts).toEqual(['xy'])
  expect([full.asked[1]!.length, ended.asked[1]!.length]).toEqual([0, 0])
})

test('when the next engine cannot go on, the first failure is told', async () => {
  const refusing = aborting('', { message: 'the answer cannot be continued under its grammar', status: 400 })
  const { heard } = await played([failing('xy', error('engine_failed')), refusing], { sampling: { regex: 'xyz' } })
  expect(heard.error).toMatchObject({ code: 'engine_failed' })
})

test('a request that every engine refuses is told so, also on its second attempt', async () => {
  const refusing = aborting('', { message: 'bad bias', status: 400 })
  const { heard } = await played([failing('', error('engine_failed')), refusing])
  expect(heard.error).toMatchObject({ code: 'engine_rejected', message: 'bad bias' })
})

test('attempts are limited, and 0 turns migration off', async () => {
  const dying = failing('x', error('engine_failed'))
  const three = await played([dying, dying, dying, dying, dying])
  expect(three.router.placements.length).toBe(4)
  expect(three.heard.heard).toEqual(['begin', '0:x', '0:x', '0:x', '0:x', 'fail engine_failed'])
  const off = await played([dying, ending('y')], {}, { migrationLimit: 0 })
  expect(off.router.placements.length).toBe(1)
  expect(off.heard.error?.code).toBe('engine_failed')
})

test('what cannot be continued is told at once: ids unknown, stop_regex', async () => {
  const dying = failing('x', error('engine_failed'))
  const regex = await played([dying, ending('y')], { sampling: { stop_regex: ['a+'] } })
  expect(regex.router.placements.length).toBe(1)
  const prompt = { kind: 'chat', input: { messages: [], addGenerationPrompt: true } } as const
  const own = await played([dying, ending('y')], { prompt }, { engineTokenizes: true })
  expect(own.router.placements.length).toBe(1)
  const fresh = await played([failing('', error('engine_failed')), ending('y')], { prompt }, { engineTokenizes: true })
  expect(fresh.heard.texts).toEqual(['y'])
})

test('without another worker the failure is told after a short wait', async () => {
  const engine = scriptedEngine((one) => {
    engine.ready = false
    failing('x', error('engine_failed'))(one)
  })
  const { pipeline, router } = served({ w0: engine })
  const heard = listener()
  await pipeline.run(request, heard.sink, never)
  settled(router)
  expect(heard.error?.code).toBe('engine_failed')
})

test('a client that leaves while its request waits for another worker ends it', async () => {
  const engine = scriptedEngine((one) => {
    engine.ready = false
    failing('x', error('engine_failed'))(one)
  })
  const { pipeline, router } = served({ w0: engine }, { migrationWaitMs: 60_000 })
  const client = new AbortController()
  const heard = listener(() => setTimeout(() => client.abort(), 20))
  await pipeline.run(request, heard.sink, client.signal)
  settled(router)
  expect(heard.heard).toEqual(['begin', '0:x', 'fail client_closed_request'])
})

test('embeddings are made anew on another worker', async () => {
  const dying = scriptedEngine()
  dying.embed = async () => {
    throw error('engine_failed')
  }
  const { pipeline, router } = served({ w0: dying, w1: scriptedEngine() }, { info: { ...scriptedInfo, isEmbedding: true } })
  const answer = await pipeline.embed({ requestId: 'e', model: 'letters', inputs: ['ab', 'c'] }, never)
  expect(answer.vectors.length).toBe(2)
  expect(answer.workerId).toBe('w1')
  expect(router.placements.every((placement) => placement.embedding)).toBe(true)
  settled(router)
})

test('an embedding that is refused everywhere rejects, and the others are stopped', async () => {
  const refusing = scriptedEngine()
  refusing.embed = async () => {
    throw error('engine_rejected')
  }
  const { pipeline, router } = served({ w0: refusing }, { info: { ...scriptedInfo, isEmbedding: true } })
  const failed = pipeline.embed({ requestId: 'e', model: 'letters', inputs: ['ab', 'c'] }, never)
  expect(failed).rejects.toMatchObject({ code: 'engine_rejected' })
  await failed.catch(() => {})
  settled(router)
})
