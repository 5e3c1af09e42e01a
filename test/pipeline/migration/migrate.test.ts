// An answer goes on elsewhere: what each attempt is asked for, which failures are not seen, and when the failure is told.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { LoadedModel } from '../../../src/pipeline/model.ts'
import type { TextRequest } from '../../../src/pipeline/types.ts'
import { ids } from '../../helpers/fakes/letter-tokenizer.ts'
import { listener } from '../../helpers/fakes/listener.ts'
import { type Running, scriptedEngine, scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'
import { never, request, served, settled } from '../../helpers/fakes/served-letters.ts'

const usage = { promptTokens: 2, completionTokens: 3, cachedTokens: 1, reasoningTokens: 0 }
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

test("a constraint that lets no first token through is the request's fault, and no other worker is asked", async () => {
  const words = (accepted: string) =>
    `Grammar accept_token failed: Tokens not accepted: 0\nAccepted tokens: [${accepted}]\nKey string: {"$ref":"#"}`
  const constrained = { constrainedBy: 'response_format' }
  const nothing = await played([aborting('', { message: words(''), status: 500 }), ending('?')], constrained)
  expect(nothing.heard.error).toMatchObject({ code: 'invalid_grammar', status: 400, param: 'response_format' })
  expect([nothing.router.placements.length, nothing.router.outcomes[0]!.error?.code]).toEqual([1, undefined])
  // Half way it may be the engine's own doing.
  const later = await played([aborting('xy', { message: words('7, 8'), status: 500 }), ending('z$')], constrained)
  expect(later.heard.texts).toEqual(['xyz'])
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

test('where the only engine takes long to start, the failure is told at once; so is that of a model that is being closed', async () => {
  const dying = () =>
    scriptedEngine(function die(one) {
      failing('x', error('engine_failed'))(one)
    })
  const alone = dying()
  const { pipeline, router } = served({ w0: alone }, { migrationWaitMs: 60_000, failsAtOnce: true })
  const heard = listener(() => {
    alone.ready = false
  })
  await pipeline.run(request, heard.sink, never)
  settled(router)
  expect(heard.error?.code).toBe('engine_failed')
  const closing = dying()
  const other = served({ w0: closing }, { migrationWaitMs: 60_000 })
  let closed = false
  Object.assign(other.router, { closed: () => closed })
  const late = listener(() => {
    closing.ready = false
    setTimeout(() => {
      closed = true
    }, 20)
  })
  await other.pipeline.run(request, late.sink, never)
  settled(other.router)
  expect(late.error?.code).toBe('engine_failed')
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
