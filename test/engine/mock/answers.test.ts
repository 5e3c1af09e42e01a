import { describe, expect, test } from 'bun:test'
import type { GenerateRequest, SamplingParams } from '../../../src/engine/types.ts'
import { answer, decode, encode, eos, request, started, textIds } from './world.ts'

const prompt = [11, 12, 13, 14, 15]
const engine = await started()
const run = (sampling: SamplingParams, more: Partial<GenerateRequest> = {}) => answer(engine, request(prompt, sampling, more))

describe('what is said', () => {
  test('readable ids, as many as asked for', async () => {
    const { ids, finish, usage } = await run({ max_new_tokens: 40 })
    expect(ids.every((id) => textIds.includes(id))).toBe(true)
    expect(finish).toEqual({ kind: 'length' })
    expect(usage).toEqual({ promptTokens: 5, completionTokens: 40, cachedTokens: 0, reasoningTokens: 0 })
    expect(ids).toHaveLength(40)
  })

  test('the same for the same ids and seed, whatever the temperature', async () => {
    const first = await run({ max_new_tokens: 40, temperature: 0 })
    expect((await run({ max_new_tokens: 40, temperature: 1 })).ids).toEqual(first.ids)
    expect((await answer(await started(), request(prompt, { max_new_tokens: 40 }))).ids).toEqual(first.ids)
  })

  test('another with another seed or prompt', async () => {
    const first = await run({ max_new_tokens: 40 })
    expect((await run({ max_new_tokens: 40, sampling_seed: 1 })).ids).not.toEqual(first.ids)
    expect((await answer(engine, request([1, 2, 3], { max_new_tokens: 40 }))).ids).not.toEqual(first.ids)
    expect((await answer(await started({ seed: 1 }), request(prompt, { max_new_tokens: 40 }))).ids).not.toEqual(first.ids)
  })

  test('a request that does not stream is told in fewer, longer rows', async () => {
    const streamed = await run({ max_new_tokens: 100 })
    const whole = await run({ max_new_tokens: 100 }, { stream: false })
    expect(whole.ids).toEqual(streamed.ids)
    expect(whole.calls.length).toBeLessThan(6)
  })
})

describe('how it ends', () => {
  test('by itself with EOS when there is no limit', async () => {
    const { ids, finish } = await run({})
    expect(finish).toEqual({ kind: 'stop', matched: eos })
    expect(ids.at(-1)).toBe(eos)
    expect(ids.length).toBeWithin(65, 129)
  })

  test('never before min_new_tokens', async () => {
    expect((await run({ min_new_tokens: 300 })).ids.length).toBeGreaterThan(300)
  })

  test('at the context length under ignore_eos', async () => {
    const small = await started({ contextLength: 200 })
    const { ids, finish } = await answer(small, request(prompt, { ignore_eos: true }))
    expect([ids.length, finish]).toEqual([195, { kind: 'length' }])
  })

  test('at a stop id, which is the last one told', async () => {
    const { ids } = await run({ max_new_tokens: 40 })
    const cut = ids.findIndex((id, i) => i > 5 && ids.indexOf(id) === i)
    const stopped = await run({ max_new_tokens: 40, stop_token_ids: [ids[cut]!] })
    expect(stopped.ids).toEqual(ids.slice(0, cut + 1))
    expect(stopped.finish).toEqual({ kind: 'stop', matched: ids[cut]! })
  })

  test('a stop id is not chosen before min_new_tokens', async () => {
    const { ids } = await run({ max_new_tokens: 60, min_new_tokens: 50, stop_token_ids: textIds.slice(0, 90) })
    expect(ids.length).toBeGreaterThan(50)
    expect(ids.slice(0, 50).every((id) => id >= textIds[90]!)).toBe(true)
  })

  test.each([
    ['ends at once', {}, 1],
    ['is ignored under ignore_eos', { ignore_eos: true }, 30],
    ['waits for min_new_tokens', { min_new_tokens: 10 }, 11],
  ])('EOS biased to +100 %s', async (_, more, length) => {
    expect((await run({ max_new_tokens: 30, logit_bias: { [eos]: 100 }, ...more })).ids).toHaveLength(length)
  })

  test('at once for max_new_tokens 0, without a row', async () => {
    expect((await run({ max_new_tokens: 0 })).calls).toEqual(['end'])
  })
})

describe('logit bias', () => {
  test('+100 is always chosen, -100 never', async () => {
    expect(new Set((await run({ max_new_tokens: 30, logit_bias: { 999: 100 } })).ids)).toEqual(new Set([999]))
    const without = await run({ max_new_tokens: 300, logit_bias: { 150: -100 } })
    expect(without.ids).not.toContain(150)
    expect((await run({ max_new_tokens: 300 })).ids).toContain(150)
  })
})

describe('continued elsewhere, the answer is the same', () => {
  const cases: [string, SamplingParams][] = [
    ['with a limit', { max_new_tokens: 50 }],
    ['without a limit', {}],
    ['with a seed and a bias', { max_new_tokens: 50, sampling_seed: 5, logit_bias: { 120: 4, 130: -100 } }],
    ['with a json_schema', { json_schema: '{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}' }],
  ]
  test.each(cases)('%s, at every cut', async (_, sampling) => {
    const whole = await run(sampling)
    const other = await started()
    for (let cut = 0; cut < whole.ids.length; cut++) {
      const produced = whole.ids.slice(0, cut)
      const rest = sampling.max_new_tokens === undefined ? {} : { max_new_tokens: sampling.max_new_tokens - cut }
      const again = await answer(other, request([...prompt, ...produced], { ...sampling, ...rest }, { resumed: cut }))
      expect([...produced, ...again.ids]).toEqual(whole.ids)
      expect(again.finish).toEqual(whole.finish!)
    }
  })

  test('logprobs too', async () => {
    const logprobs = { top: 3, promptStart: -1 }
    const whole = await run({ max_new_tokens: 20 }, { logprobs })
    const again = await answer(engine, request([...prompt, ...whole.ids.slice(0, 7)], { max_new_tokens: 13 }, { logprobs, resumed: 7 }))
    expect(again.logprobs).toEqual(whole.logprobs.slice(7))
  })
})

describe('logprobs', () => {
  test('one value a token; alternatives best first, the chosen one at their head', async () => {
    const { ids, logprobs } = await run({ max_new_tokens: 50 }, { logprobs: { top: 5, promptStart: -1 } })
    for (const [i, row] of logprobs.entries()) {
      const top = row!.top![0]!
      expect([top.ids[0], top.values[0]]).toEqual([ids[i]!, row!.values[0]!])
      expect(new Set(top.ids).size).toBe(5)
      expect(top.values).toEqual(top.values.toSorted((a, b) => b - a))
      expect(top.values.reduce((sum, value) => sum + Math.exp(value), 0)).toBeLessThanOrEqual(1)
    }
  })

  test('values only, when no alternatives are asked for', async () => {
    const { logprobs } = await run({ max_new_tokens: 3 }, { logprobs: { top: 0, promptStart: -1 } })
    expect(logprobs.map((row) => Object.keys(row!))).toEqual([['values'], ['values'], ['values']])
  })

  test('of the prompt: once, before the first row, nothing for the first id', async () => {
    const { prompt: told, calls } = await run({ max_new_tokens: 2 }, { logprobs: { top: 2, promptStart: 1 } })
    expect(calls).toEqual(['prompt', 'push', 'push', 'end'])
    expect(told!.ids).toEqual(prompt.slice(1))
    expect(told!.values[0]).toBeNull()
    expect(told!.values.slice(1).every((value) => value! < 0)).toBe(true)
    expect(told!.top!.slice(1).map((top) => top!.ids[0]!)).toEqual(prompt.slice(2))
  })

  test('ids asked for by name come with every position', async () => {
    const { logprobs } = await run({ max_new_tokens: 5 }, { logprobs: { top: 1, promptStart: -1, tokenIds: [7, 8] } })
    for (const row of logprobs) expect(row!.top![0]!.ids).toEqual(expect.arrayContaining([7, 8]))
  })
})

describe('grammars', () => {
  test('a json_schema gets its smallest instance, then EOS', async () => {
    const { ids, finish } = await run({ json_schema: '{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}' })
    expect(JSON.parse(decode(ids.slice(0, -1)))).toEqual({ ok: true })
    expect([ids.at(-1), finish]).toEqual([eos, { kind: 'stop', matched: eos }])
  })

  test('a limit cuts it', async () => {
    expect((await run({ json_schema: '{"enum":["a long text"]}', max_new_tokens: 4 })).finish).toEqual({ kind: 'length' })
  })

  test.each([
    ['a schema that is none', { json_schema: '{"type":"objekt"}' }, 'invalid json_schema: #/type'],
    ['a schema that is no JSON', { json_schema: '{' }, 'invalid json_schema'],
    ['a regex', { regex: 'a+' }, 'the mock engine has no regex grammar; use a real engine'],
    ['an ebnf', { ebnf: 'root ::= "a"' }, 'the mock engine has no regex grammar; use a real engine'],
  ])('%s is refused with a 400', async (_, sampling, message) => {
    const { finish, calls } = await run(sampling)
    expect(finish).toMatchObject({ kind: 'abort', status: 400, message: expect.stringContaining(message) })
    expect(calls).toEqual(['end'])
  })
})

describe('refused with a 400', () => {
  test.each([
    ['an empty prompt', request([])],
    ['a prompt that fills the context', request(new Uint32Array(32_768))],
    ['a rank that does not exist', request([1], {}, { dpRank: 4 })],
    ['a bias outside the vocabulary', request([1], { logit_bias: { 5000: 1 } })],
    ['a negative limit', request([1], { max_new_tokens: -1 })],
    ['min above max', request([1], { min_new_tokens: 5, max_new_tokens: 4 })],
  ])('%s', async (_, asked) => {
    expect((await answer(engine, asked)).finish).toMatchObject({ kind: 'abort', status: 400 })
    expect(engine.inFlight()).toBe(0)
  })
})

test('a prompt given as text is tokenized', async () => {
  const asText = await answer(engine, request([], { max_new_tokens: 5 }, { promptText: 'hi' }))
  expect(asText.ids).toEqual((await answer(engine, request([300 + 104, 300 + 105], { max_new_tokens: 5 }))).ids)
  expect(asText.usage!.promptTokens).toBe(2)
})

describe('a tokenizer that needs time', () => {
  const slow = started({ encode: async (text) => encode(text) })

  test('gives the same answer', async () => {
    const schema = { json_schema: '{"enum":["in progress"]}' }
    expect((await answer(await slow, request(prompt, schema))).ids).toEqual((await run(schema)).ids)
    expect((await slow).inFlight()).toBe(0)
  })

  test('counts as in flight, and can be aborted meanwhile', async () => {
    const client = new AbortController()
    const asked = answer(await slow, request([], {}, { promptText: 'hi' }), client.signal)
    expect((await slow).inFlight()).toBe(1)
    client.abort()
    expect((await asked).calls).toEqual(['end'])
    expect((await slow).inFlight()).toBe(0)
  })

  test('that fails fails the request', async () => {
    const broken = await started({ encode: () => Promise.reject(new Error('no tokenizer')) })
    expect((await answer(broken, request([], {}, { promptText: 'hi' }))).error?.code).toBe('internal_error')
    expect(broken.inFlight()).toBe(0)
  })
})
