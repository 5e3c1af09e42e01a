// The official npm client against the running product with the mock engine: every way of asking that the client has.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { model, openai } from '../helpers/openai.ts'
import { eventually, idle, type Started, start } from '../helpers/processes/start.ts'

let server: Started
let client: OpenAI
beforeAll(async () => {
  server = await start()
  client = openai(server)
})
afterAll(() => server?.stop())

const messages = [{ role: 'user' as const, content: 'Say something.' }]
const ask = { model, messages, max_tokens: 12 }
const tools = [
  {
    type: 'function' as const,
    function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  },
]

describe('chat', () => {
  test('whole answer', async () => {
    const answer = await client.chat.completions.create(ask)
    expect(answer.object).toBe('chat.completion')
    expect(answer.choices[0]!.message.role).toBe('assistant')
    expect(answer.choices[0]!.message.content).toBeString()
    expect(answer.choices[0]!.finish_reason).toBe('length')
    expect(answer.usage).toMatchObject({ completion_tokens: 12 })
    expect(answer._request_id).toBeString()
  })
  test('a stream says the same as the whole answer, and ends with its usage', async () => {
    const whole = await client.chat.completions.create({ ...ask, seed: 7 })
    const stream = await client.chat.completions.create({ ...ask, seed: 7, stream: true, stream_options: { include_usage: true } })
    let text = ''
    let finish: string | null = null
    let usage: OpenAI.CompletionUsage | null | undefined
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      finish = chunk.choices[0]?.finish_reason ?? finish
      usage = chunk.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]!.message.content!)
    expect(finish).toBe('length')
    expect(usage).toEqual(whole.usage!)
  })
  test('without stream_options a stream has no usage', async () => {
    for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) expect(chunk.usage ?? null).toBeNull()
  })
  test('the stream helper puts the pieces together', async () => {
    const answer = await client.chat.completions.stream({ ...ask, seed: 3 }).finalChatCompletion()
    expect(answer.choices[0]!.message.content).toBe((await client.chat.completions.create({ ...ask, seed: 3 })).choices[0]!.message.content)
  })
  test('n choices, each with its index', async () => {
    const answer = await client.chat.completions.create({ ...ask, n: 3, temperature: 1 })
    expect(answer.choices.map((choice) => choice.index)).toEqual([0, 1, 2])
    expect(answer.usage!.completion_tokens).toBe(36)
  })
  test('logprobs: one entry a token, as many alternatives as asked for', async () => {
    const { logprobs, message } = (await client.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 3 })).choices[0]!
    expect(logprobs!.content).toHaveLength(12)
    expect(logprobs!.content![0]!.top_logprobs).toHaveLength(3)
    const bytes = Buffer.from(logprobs!.content!.flatMap((token) => token.bytes ?? []))
    expect(bytes.toString()).toBe(message.content!)
  })
  test('tools, their calls and results reach the template', async () => {
    const plain = await client.chat.completions.create(ask)
    const withTools = await client.chat.completions.create({ ...ask, tools })
    expect(withTools.usage!.prompt_tokens).toBeGreaterThan(plain.usage!.prompt_tokens)
    const call = { id: 'call_1', type: 'function' as const, function: { name: 'get_weather', arguments: '{"city":"Bern"}' } }
    const conversation = [
      ...messages,
      { role: 'assistant' as const, content: null, tool_calls: [call] },
      { role: 'tool' as const, tool_call_id: 'call_1', content: 'sunny' },
    ]
    const answered = await client.chat.completions.create({ ...ask, messages: conversation, tools })
    expect(answered.usage!.prompt_tokens).toBeGreaterThan(withTools.usage!.prompt_tokens)
  })
  test('content parts', async () => {
    const parts = [{ type: 'text' as const, text: 'Say something.' }]
    const answer = await client.chat.completions.create({ ...ask, messages: [{ role: 'user', content: parts }] })
    expect(answer.usage!.prompt_tokens).toBe((await client.chat.completions.create(ask)).usage!.prompt_tokens)
  })
  test('stop strings end the answer before them', async () => {
    const text = (await client.chat.completions.create({ ...ask, max_tokens: 40, seed: 1 })).choices[0]!.message.content!
    const stop = text.trim().split(/\s+/)[2]!
    const { message, finish_reason } = (await client.chat.completions.create({ ...ask, max_tokens: 40, seed: 1, stop: [stop] })).choices[0]!
    expect(finish_reason).toBe('stop')
    expect(message.content).toBe(text.slice(0, text.indexOf(stop)))
  })
})

test('cancelling leaves nothing running, streamed or not', async () => {
  // At a GPU's pace 4000 tokens take longer than any machine needs to cancel them.
  const slow = await start({ args: ['--speedup-ratio', '1'] })
  try {
    const stream = await openai(slow).chat.completions.create({ ...ask, max_tokens: 4000, stream: true })
    for await (const _ of stream) break
    await idle(slow)
    const abort = new AbortController()
    const whole = openai(slow).chat.completions.create({ ...ask, max_tokens: 4000 }, { signal: abort.signal })
    await eventually('the request runs', async () => (await slow.metric('dynamo_frontend_inflight_requests')) === 1)
    abort.abort()
    expect(await refusal(whole)).toBeInstanceOf(OpenAI.APIUserAbortError)
    await idle(slow)
  } finally {
    await slow.stop()
  }
})

describe('completions', () => {
  test('text, token ids and batches', async () => {
    const one = await client.completions.create({ model, prompt: 'Once upon', max_tokens: 6 })
    expect(one.choices[0]).toMatchObject({ index: 0, finish_reason: 'length' })
    const ids = await client.completions.create({ model, prompt: [5, 6, 7], max_tokens: 2 })
    expect(ids.usage!.prompt_tokens).toBe(3)
    const batch = await client.completions.create({ model, prompt: ['a', 'b', 'c'], n: 2, max_tokens: 2 })
    expect(batch.choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3, 4, 5])
    const idBatch = await client.completions.create({ model, prompt: [[5, 6], [7]], max_tokens: 2 })
    expect(idBatch.choices).toHaveLength(2)
    expect(idBatch.usage!.prompt_tokens).toBe(3)
  })
  test('echo and logprobs', async () => {
    const { text, logprobs } = (await client.completions.create({ model, prompt: 'Once upon', max_tokens: 4, echo: true, logprobs: 2 }))
      .choices[0]!
    expect(text).toStartWith('Once upon')
    expect(logprobs!.tokens!.join('')).toBe(text)
    expect(logprobs!.token_logprobs![0]).toBeNull()
    expect(logprobs!.text_offset![0]).toBe(0)
    expect(Object.keys(logprobs!.top_logprobs!.at(-1)!).length).toBeGreaterThanOrEqual(2)
  })
  test('a stream', async () => {
    const whole = await client.completions.create({ model, prompt: 'Once', max_tokens: 8 })
    let text = ''
    for await (const chunk of await client.completions.create({ model, prompt: 'Once', max_tokens: 8, stream: true }))
      text += chunk.choices[0]?.text ?? ''
    expect(text).toBe(whole.choices[0]!.text)
  })
})

test('models: the list and one', async () => {
  const list = []
  for await (const one of client.models.list()) list.push(one.id)
  expect(list).toEqual([model])
  expect((await client.models.retrieve(model)).id).toBe(model)
})

/** What a request is refused with. The client's promises are its own, so they are made real ones. */
const refusal = (request: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(request).then(
    () => undefined,
    (error: unknown) => error,
  )

describe('error classes', () => {
  // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
  const chat = (body: any) => client.chat.completions.create(body)
  test('BadRequest', async () => {
    const error = await refusal(chat({ ...ask, temperature: 'hot' }))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' })
    expect(await refusal(chat({ ...ask, messages: [] }))).toBeInstanceOf(OpenAI.BadRequestError)
    expect(await refusal(chat({ ...ask, max_tokens: 10_000_000 }))).toBeInstanceOf(OpenAI.BadRequestError)
  })
  test('NotFound: the model, the route', async () => {
    const error = await refusal(chat({ ...ask, model: 'gpt-nothing' }))
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({ status: 404, code: 'model_not_found' })
    expect(await refusal(client.models.retrieve('gpt-nothing'))).toBeInstanceOf(OpenAI.NotFoundError)
    expect(await refusal(client.get('/nowhere'))).toBeInstanceOf(OpenAI.NotFoundError)
  })
  test('a refused stream is refused before it begins', async () => {
    expect(await refusal(chat({ ...ask, model: 'gpt-nothing', stream: true }))).toBeInstanceOf(OpenAI.NotFoundError)
  })
})
