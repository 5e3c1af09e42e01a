import { expect, test } from 'bun:test'
import type { AppError } from '../../src/lib/errors.ts'
import { inflightRequests } from '../../src/lib/metrics.ts'
import { type LoadedModel, modelRegistry } from '../../src/pipeline/model.ts'
import { createPipeline } from '../../src/pipeline/pipeline.ts'
import type { Answer, AnswerSink, TextRequest } from '../../src/pipeline/types.ts'
import { createPool } from '../../src/router/pool.ts'
import { workerSet } from '../../src/router/workers.ts'
import { ids, letterTokenizer } from '../helpers/fakes/letter-tokenizer.ts'
import { type Running, type ScriptedEngine, scriptedEngine, scriptedInfo } from '../helpers/fakes/scripted-engine.ts'
import { request as usualRequest } from '../helpers/fakes/served-letters.ts'

const usage = { promptTokens: 2, completionTokens: 3, cachedTokens: 1, reasoningTokens: 0 }
const request: TextRequest = { ...usualRequest, sampling: {} }

function loaded(engine: ScriptedEngine): LoadedModel {
  return {
    served: { id: 'letters', aliases: ['abc'], createdSecs: 0, contextLength: 100, isEmbedding: false },
    tokenizer: letterTokenizer(),
    template: undefined,
    samplingDefaults: { top_k: 20 },
    engineTokenizes: false,
    router: poolOf(engine),
    info: scriptedInfo,
  }
}

function poolOf(engine: ScriptedEngine) {
  const workers = workerSet()
  workers.add({ id: 'w0', engine })
  return createPool(workers)
}

function serve(engine: ScriptedEngine) {
  const models = modelRegistry()
  models.add(loaded(engine))
  return createPipeline(models)
}

/** A sink that writes down what it hears. */
function listener() {
  const heard: string[] = []
  let answer: Answer | undefined
  let error: AppError | undefined
  const sink: AnswerSink = {
    begin: (begun) => {
      answer = begun
      heard.push('begin')
    },
    text: (choice, text, logprobs) =>
      heard.push(`${choice}:${text}${logprobs === undefined ? '' : `[${logprobs.map((token) => token.text).join('|')}]`}`),
    finish: (choice, finish) => heard.push(`${choice} ${finish.reason} ${finish.matched}`),
    end: (total) => heard.push(`end ${total.promptTokens}+${total.completionTokens} cached ${total.cachedTokens}`),
    fail: (failure) => {
      error = failure
      heard.push(`fail ${failure.code}`)
    },
  }
  return { sink, heard, answer: () => answer!, error: () => error }
}

const play =
  (...rows: string[]) =>
  (one: Running) => {
    for (const row of rows) one.sink.push(ids(row), 0, row.length, undefined)
    one.sink.end({ kind: 'stop', matched: 0 }, usage)
    one.settle()
  }
const never = new AbortController().signal

test('rows become text, the ending token is not shown, everything is in order', async () => {
  const { sink, heard } = listener()
  await serve(scriptedEngine(play('He', 'y$'))).run(request, sink, never)
  expect(heard).toEqual(['begin', '0:He', '0:y', '0 stop 0', 'end 2+4 cached 1'])
})

test('an ending token in the middle is shown when the answer goes on', async () => {
  const { sink, heard } = listener()
  await serve(scriptedEngine(play('a$', 'b$'))).run({ ...request, skipSpecial: false }, sink, never)
  expect(heard.slice(1, 3)).toEqual(['0:a', '0:<eos>b'])
})

test('a stop string ends the choice and then the engine', async () => {
  const engine = scriptedEngine()
  const { sink, heard } = listener()
  const running = serve(engine).run({ ...request, stops: ['END'] }, sink, never)
  await Bun.sleep(0)
  const one = engine.running[0]!
  one.sink.push(ids('okE'), 0, 3, undefined)
  one.sink.push(ids('NDxx'), 0, 4, undefined)
  expect(heard).toEqual(['begin', '0:ok', '0 stop END', 'end 2+7 cached 0'])
  await Bun.sleep(0)
  expect(one.signal.aborted).toBe(true)
  one.sink.end({ kind: 'abort', message: 'Aborted' }, usage)
  one.settle()
  await running
  expect(heard.length).toBe(4)
  expect(one.request.sampling).toEqual({ stop: ['END'] })
})

test('a client that leaves aborts every leg and frees the place', async () => {
  const engine = scriptedEngine()
  const { sink, error } = listener()
  const client = new AbortController()
  const pipeline = serve(engine)
  const running = pipeline.run({ ...request, n: 3, sampling: { sampling_seed: 5 } }, sink, client.signal)
  await Bun.sleep(0)
  expect(engine.running.map((one) => one.request.sampling.sampling_seed)).toEqual([5, 6, 7])
  expect((await inflightRequests.get()).values).toEqual([{ labels: { model: 'letters' }, value: 1 }])
  client.abort()
  expect(engine.running.every((one) => one.signal.aborted)).toBe(true)
  expect(error()?.code).toBe('client_closed_request')
  for (const one of engine.running) one.settle()
  await running
  expect((await inflightRequests.get()).values).toEqual([{ labels: { model: 'letters' }, value: 0 }])
})

test('logprobs come with their text, echo comes first', async () => {
  const { sink, heard } = listener()
  const engine = scriptedEngine((one) => {
    one.sink.promptLogprobs?.({ ids: [97, 98], values: [null, -1] })
    one.sink.push(ids('xy'), 0, 2, { values: [-0.5, -0.25] })
    one.sink.end({ kind: 'length' }, usage)
    one.settle()
  })
  await serve(engine).run({ ...request, echo: true, topLogprobs: 0 }, sink, never)
  expect(heard.slice(1, 4)).toEqual(['0:ab[a|b]', '0:xy[x|y]', '0 length null'])
  expect(engine.running[0]!.request.logprobs).toEqual({ top: 0, promptStart: 0 })
})

test('best_of answers with the likeliest', async () => {
  let call = 0
  const engine = scriptedEngine((one) => {
    const value = [-2, -0.1, -1][call++]!
    one.sink.push(ids('abc'.charAt(call - 1)), 0, 1, { values: [value] })
    one.sink.end({ kind: 'length' }, usage)
    one.settle()
  })
  const { sink, heard } = listener()
  await serve(engine).run({ ...request, stream: false, bestOf: 3 }, sink, never)
  expect(heard).toEqual(['begin', '0:b', '0 length null', 'end 2+3 cached 1'])
})

test("the model's recommended sampling fills in for chat, and the request wins", async () => {
  const engine = scriptedEngine(play('a'))
  const models = modelRegistry()
  const template = { id: 't', render: () => 'hi' }
  models.add({ ...loaded(engine), template })
  const prompt = { kind: 'chat', input: { messages: [], addGenerationPrompt: true } } as const
  const { sink } = listener()
  await createPipeline(models).run({ ...request, prompt }, sink, never)
  await createPipeline(models).run({ ...request, prompt, sampling: { top_k: 3 } }, listener().sink, never)
  expect(engine.running.map((one) => one.request.sampling.top_k)).toEqual([20, 3])
})

test('with --use-sglang-tokenizer the messages go to the engine as they are, and only chat is served', async () => {
  const engine = scriptedEngine(play('a'))
  const models = modelRegistry()
  models.add({ ...loaded(engine), engineTokenizes: true })
  const prompt = { kind: 'chat', input: { messages: [{ role: 'user', content: 'hi' }], addGenerationPrompt: true } } as const
  const { sink, heard } = listener()
  await createPipeline(models).run({ ...request, prompt }, sink, never)
  expect(engine.running[0]!.request.chat?.messages).toEqual(prompt.input.messages)
  expect(engine.running[0]!.request.promptIds.length).toBe(0)
  expect(heard.at(-1)).toBe('end 2+1 cached 1')
  const refused = listener()
  await createPipeline(models).run(request, refused.sink, never)
  expect(refused.error()?.code).toBe('unsupported_parameter')
})

test("an endpoint's default length gives way to what still fits, an asked one does not", async () => {
  const engine = scriptedEngine(play('a'))
  const prompt = (length: number) => ({ kind: 'text', text: 'x'.repeat(length), addSpecial: false }) as const
  const pipeline = serve(engine)
  await pipeline.run({ ...request, defaultMaxTokens: 16 }, listener().sink, never)
  await pipeline.run({ ...request, defaultMaxTokens: 16, prompt: prompt(90) }, listener().sink, never)
  expect(engine.running.map((one) => one.request.sampling.max_new_tokens)).toEqual([16, 10])
})

const failures: [string, Partial<TextRequest>, string][] = [
  ['unknown model', { model: 'nobody' }, 'model_not_found'],
  ['too long a prompt', { prompt: { kind: 'text', text: 'x'.repeat(95), addSpecial: false } }, 'context_length_exceeded'],
  ['too long an answer', { sampling: { max_new_tokens: 99 } }, 'context_length_exceeded'],
  ['empty prompt', { prompt: { kind: 'text', text: '', addSpecial: false } }, 'invalid_value'],
  ['foreign token id', { prompt: { kind: 'ids', ids: Uint32Array.of(1000) } }, 'invalid_value'],
  ['no template', { prompt: { kind: 'chat', input: { messages: [], addGenerationPrompt: true } } }, 'invalid_template'],
]
for (const [what, change, code] of failures)
  test(`${what} is ${code}, and the engine hears nothing`, async () => {
    const engine = scriptedEngine()
    const { sink, heard, error } = listener()
    await serve(engine).run({ ...request, ...change }, sink, never)
    expect(heard).toEqual([`fail ${code}`])
    expect(error()?.status).toBeLessThan(500)
    expect(engine.running.length).toBe(0)
  })

test("the engine's refusal keeps its status and words; its plain abort is safe to retry", async () => {
  const refuse = (finish: { message: string; status?: number }) =>
    scriptedEngine((one) => {
      one.sink.end({ kind: 'abort', ...finish }, usage)
      one.settle()
    })
  const refused = listener()
  await serve(refuse({ message: 'Invalid regex: (', status: 400 })).run({ ...request, constrainedBy: 'regex' }, refused.sink, never)
  expect(refused.error()).toMatchObject({ code: 'invalid_grammar', status: 400, message: 'Invalid regex: (' })
  const { sink, error } = listener()
  await serve(refuse({ message: 'Invalid grammar', status: 400 })).run({ ...request, constrainedBy: 'guided_grammar' }, sink, never)
  expect(error()).toMatchObject({ code: 'invalid_grammar', param: 'guided_grammar' })
  const full = listener()
  await serve(refuse({ message: 'The request queue is full.', status: 503 })).run(request, full.sink, never)
  expect(full.error()).toMatchObject({ status: 503, retryAfterSecs: 1 })
  const aborted = listener()
  await serve(refuse({ message: 'Aborted' })).run(request, aborted.sink, never)
  expect(aborted.error()).toMatchObject({ code: 'engine_unavailable', status: 503, retryAfterSecs: 1 })
})

test('a bias on a token that the model does not have is refused before the engine hears of it', async () => {
  const engine = scriptedEngine(play('a'))
  // JSON.parse makes it a member like any other.
  for (const logit_bias of [{ 7: 1, 1000: 5 }, JSON.parse('{"__proto__": 5}')]) {
    const { sink, error } = listener()
    await serve(engine).run({ ...request, sampling: { logit_bias } }, sink, never)
    const param = `logit_bias.${Object.keys(logit_bias).at(-1)}`
    expect(error()).toMatchObject({ code: 'invalid_value', status: 400, param, message: expect.stringContaining('0 to 999') })
  }
  await serve(engine).run({ ...request, sampling: { logit_bias: { 0: 1, 999: 5 } } }, listener().sink, never)
  expect(engine.running.map((one) => one.request.sampling.logit_bias)).toEqual([{ 0: 1, 999: 5 }])
})

test("an input's token that the model does not have is told by the input's place", async () => {
  const models = modelRegistry()
  const served = { id: 'letters', aliases: [], createdSecs: 0, contextLength: 100, isEmbedding: true }
  models.add({ ...loaded(scriptedEngine()), info: { ...scriptedInfo, isEmbedding: true }, served })
  const inputs = [Uint32Array.of(5), Uint32Array.of(4000)]
  const failed = createPipeline(models).embed({ ...usualRequest, inputs, dimensions: undefined } as never, never)
  expect(failed).rejects.toMatchObject({ code: 'invalid_value', param: 'input[1]' })
})

test('choices that come after a refused one are not asked of the engine', async () => {
  let asked = 0
  const engine = scriptedEngine((one) => {
    asked++
    one.sink.end({ kind: 'abort', message: 'no such rank', status: 400 }, usage)
    one.settle()
  })
  await serve(engine).run({ ...request, n: 5 }, listener().sink, never)
  expect(asked).toBe(1)
})

test('no engine ready is 503 with a time to come back', async () => {
  const engine = scriptedEngine()
  engine.ready = false
  const { sink, error } = listener()
  await serve(engine).run(request, sink, never)
  expect(error()).toMatchObject({ code: 'engine_unavailable', status: 503, retryAfterSecs: 5 })
})
