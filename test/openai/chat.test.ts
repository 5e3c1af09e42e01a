// Whole chat answers: what reaches the pipeline, and what comes back.
import { expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { testApp } from '../helpers/fakes/app.ts'

const path = '/v1/chat/completions'
const chat = (extra: object = {}) => ({ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], ...extra })

async function requestOf(extra: object, headers?: Record<string, string>) {
  const app = testApp()
  const answer = await app.post(path, chat(extra), headers)
  expect(answer.body.error).toBeUndefined()
  return app.pipeline.requests[0]!
}

test('an answer has the shape of OpenAI', async () => {
  const app = testApp()
  const { status, headers, body } = await app.post(path, chat(), { 'x-request-id': 'my-id' })
  expect(status).toBe(200)
  expect(body).toEqual({
    id: 'chatcmpl-my-id',
    object: 'chat.completion',
    created: expect.any(Number),
    model: 'tiny',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello world', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
        matched_stop: null,
      },
    ],
    usage: {
      prompt_tokens: 3,
      completion_tokens: 2,
      total_tokens: 5,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  })
  expect(headers.get('x-request-id')).toBe('my-id')
  expect([headers.get('x-worker-id'), headers.get('x-kv-overlap')]).toEqual(['w0', '16'])
})

test('choices, the matched stop and logprobs', async () => {
  const app = testApp({ script: { finish: { reason: 'stop', matched: '.' } } })
  const { body } = await app.post(path, chat({ n: 2, logprobs: true, top_logprobs: 1, stop: '.' }))
  expect(body.choices.map((choice: { index: number; matched_stop: string }) => [choice.index, choice.matched_stop])).toEqual([
    [0, '.'],
    [1, '.'],
  ])
  const one = { token: 'Hello', logprob: -0.5, bytes: [72, 101, 108, 108, 111] }
  expect(body.choices[1].logprobs.content[0]).toEqual({ ...one, top_logprobs: [one] })
  expect(body.usage.completion_tokens).toBe(4)
})

test('sampling fields go to the engine under its own names', async () => {
  const { sampling, stops, n, topLogprobs, includeStop } = await requestOf({
    temperature: 0.5,
    top_p: 0.9,
    top_k: 0,
    min_p: 0.1,
    seed: 7,
    max_tokens: 5,
    max_completion_tokens: 9,
    min_tokens: 2,
    logit_bias: { 5: -100 },
    stop: ['a', 12],
    stop_token_ids: [3],
    stop_regex: 'b+',
    ignore_eos: true,
    logprobs: true,
    include_stop_str_in_output: true,
  })
  expect(sampling).toEqual({
    temperature: 0.5,
    top_p: 0.9,
    top_k: -1,
    min_p: 0.1,
    sampling_seed: 7,
    max_new_tokens: 9,
    min_new_tokens: 2,
    logit_bias: { 5: -100 },
    stop_token_ids: [3, 12],
    stop_regex: ['b+'],
    ignore_eos: true,
  })
  expect({ stops, n, topLogprobs, includeStop }).toEqual({ stops: ['a'], n: 1, topLogprobs: 0, includeStop: true })
})

test('null is the same as absent', async () => {
  const fields = [
    'temperature',
    'top_p',
    'n',
    'stop',
    'seed',
    'max_tokens',
    'response_format',
    'tools',
    'tool_choice',
    'logit_bias',
    'stream',
    'nvext',
    'suffix',
  ]
  const app = testApp({ ignoreUnknownFields: true })
  const { status } = await app.post(path, chat(Object.fromEntries(fields.map((name) => [name, null]))))
  expect(status).toBe(200)
  expect(app.pipeline.requests[0]).toMatchObject({ sampling: {}, stops: [], n: 1, stream: false })
})

test('a top_p of 0 means the likeliest token', async () => {
  expect((await requestOf({ top_p: 0 })).sampling).toEqual({ top_k: 1 })
})

test.each([
  [{ response_format: { type: 'json_object' } }, 'response_format', { json_schema: '{"type": "object"}' }],
  [
    { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'string' }, strict: true } } },
    'response_format',
    { json_schema: '{"type":"string"}' },
  ],
  [{ response_format: { type: 'text' } }, undefined, {}],
  [
    { response_format: { type: 'structural_tag', format: { a: 1 } } },
    'response_format',
    { structural_tag: '{"type":"structural_tag","format":{"a":1}}' },
  ],
  [{ regex: 'a+' }, 'regex', { regex: 'a+' }],
  [{ guided_choice: ['a.b', 'c'] }, 'guided_choice', { regex: '(a\\.b|c)' }],
  [{ guided_json: '{"type":"null"}' }, 'guided_json', { json_schema: '{"type":"null"}' }],
  [{ structured_outputs: { grammar: 'root ::= "x"' } }, 'structured_outputs.grammar', { ebnf: 'root ::= "x"' }],
])('%j constrains by its field %s: %j', async (sent, field, sampling) => {
  const request = await requestOf(sent)
  expect([request.constrainedBy, request.sampling]).toEqual([field, sampling])
})

test('the template sees tools, unless tool_choice is none', async () => {
  const tools = [{ type: 'function', function: { name: 'f', description: 'd', parameters: { b: 1, a: 2 } } }]
  const input = (request: Awaited<ReturnType<typeof requestOf>>) => (request.prompt.kind === 'chat' ? request.prompt.input : undefined)
  // Key order is the client's: templates print it.
  expect(JSON.stringify(input(await requestOf({ tools }))?.tools)).toBe(JSON.stringify(tools))
  expect(input(await requestOf({ tools, tool_choice: 'none' }))?.tools).toBeUndefined()
})

test('messages go to the template as the client wrote them, unknown members included', async () => {
  const messages = [
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    {
      role: 'assistant',
      content: null,
      reasoning_content: 'hm',
      tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{"x":[1]}' } }],
    },
    { role: 'tool', content: '5', tool_call_id: '1', something: true },
  ]
  expect((await requestOf({ messages })).prompt).toEqual({ kind: 'chat', input: { messages, addGenerationPrompt: true } })
})

test('a refusal in the history is a text to the template; the other messages and parts are the client’s own', async () => {
  const user = { role: 'user', content: [{ type: 'text', text: 'Hi' }] }
  const assistant = { role: 'assistant', name: 'a', content: [{ type: 'refusal', refusal: 'no' }, ...user.content] }
  const { prompt } = await requestOf({ messages: [user, assistant, user] })
  const told = { ...assistant, content: [{ type: 'text', text: 'no' }, ...user.content] }
  expect(prompt).toEqual({ kind: 'chat', input: { messages: [user, told, user], addGenerationPrompt: true } })
})

test('template variables: an effort sets the thinking switches, the client has the last word', async () => {
  const request = await requestOf({ reasoning_effort: 'none', chat_template_kwargs: { enable_thinking: true } })
  expect(request.prompt).toMatchObject({ input: { variables: { reasoning_effort: 'none', thinking: false, enable_thinking: true } } })
})

test('nvext and headers place the request; headers win', async () => {
  const nvext = {
    backend_instance_id: 42,
    dp_rank: 1,
    cache_salt: 'a',
    agent_hints: { priority: 3 },
    greed_sampling: true,
    token_data: [5, 6],
  }
  const request = await requestOf({ nvext }, { 'x-dynamo-dp-rank': '2', 'x-tenant-id': 'b' })
  expect(request).toMatchObject({
    workerId: '42',
    dpRank: 2,
    cacheSalt: 'b',
    priority: 3,
    sampling: { temperature: 0, top_k: 1 },
    prompt: { kind: 'ids', ids: Uint32Array.of(5, 6), param: 'nvext.token_data' },
  })
  expect((await requestOf({ nvext, input_ids: [7] })).prompt).toMatchObject({ ids: Uint32Array.of(7), param: 'input_ids' })
})

test('the prefill side, the session and the router have their own hints', async () => {
  const nvext = {
    prefill_worker_id: 'p1',
    prefill_dp_rank: 1,
    agent_hints: { osl: 50 },
    router_config_override: { overlap_score_credit: 2, router_temperature: 0.5, assume_kv_reuse: false },
  }
  const request = await requestOf({ nvext }, { 'X-Dynamo-Session-ID': 's', 'x-session-id': 'other', 'x-dynamo-prefill-dp-rank': '3' })
  expect(request).toMatchObject({
    prefillWorkerId: 'p1',
    prefillDpRank: 3,
    sessionId: 's',
    expectedTokens: 50,
    overrides: { overlapScoreCredit: 2, temperature: 0.5, assumeKvReuse: false },
  })
  const wrong = await testApp().post(path, chat({}), { 'x-dynamo-prefill-dp-rank': '-1' })
  expect([wrong.status, wrong.body.error.param]).toEqual([400, 'x-dynamo-prefill-dp-rank'])
  const bad = await testApp().post(path, chat({ nvext: { router_config_override: { router_temperature: -1 } } }))
  expect([bad.status, bad.body.error.param]).toEqual([400, 'nvext.router_config_override.router_temperature'])
})

test('extra_fields come back under nvext', async () => {
  const { body } = await testApp().post(
    path,
    chat({ nvext: { extra_fields: ['worker_id', 'timing', 'stop_reason', 'completion_token_ids'] } }),
  )
  expect(body.nvext).toEqual({
    worker_id: { prefill_worker_id: 'w0', prefill_dp_rank: 0, decode_worker_id: 'w0', decode_dp_rank: 0 },
    timing: { request_received_ms: expect.any(Number), ttft_ms: expect.any(Number), total_time_ms: expect.any(Number), kv_hit_rate: 0.333 },
    stop_reason: null,
    completion_token_ids: [5, 6],
  })
})

test('ids instead of texts, where asked', async () => {
  const { body } = await testApp().post(path, chat({ return_token_ids: true, logprobs: true, return_tokens_as_token_ids: true }))
  expect(body.choices[0]).toMatchObject({ token_ids: [5, 6], prompt_token_ids: [7, 8, 9] })
  expect(body.choices[0].logprobs.content.map((token: { token: string }) => token.token)).toEqual(['token_id:5', 'token_id:6'])
})

test('a rid names the request when no header does', async () => {
  const { body, headers } = await testApp().post(path, chat({ rid: 'mine' }))
  expect([body.id, headers.get('x-request-id')]).toEqual(['chatcmpl-mine', 'mine'])
})

test('a stream: content, finish, usage, nvext, [DONE]', async () => {
  const app = testApp()
  const response = await app.get(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(chat({ stream: true, stream_options: { include_usage: true }, nvext: { extra_fields: ['worker_id'] } })),
  })
  const events = (await response.text()).trim().split('\n\n')
  expect(events.pop()).toBe('data: [DONE]')
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)))
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Hello world')
  expect(chunks.at(-2).choices[0].finish_reason).toBe('stop')
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 5 }, nvext: { worker_id: { decode_worker_id: 'w0' } } })
  expect(response.headers.get('content-type')).toStartWith('text/event-stream')
})

test('a failure before the first text has its own status and Retry-After', async () => {
  const error = new AppError('engine_unavailable', { message: 'restarting', retryAfterSecs: 3 })
  for (const stream of [false, true]) {
    const answer = await testApp({ script: { fail: { after: 0, error } } }).post(path, chat({ stream }))
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('3')
    expect(answer.body.error).toEqual({ message: 'restarting', type: 'server_error', param: null, code: 'engine_unavailable' })
  }
})
