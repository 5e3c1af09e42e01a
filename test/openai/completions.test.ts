// Whole completions: prompts of every kind, batches, echo, logprobs.
import { expect, test } from 'bun:test'
import { testApp } from '../helpers/fakes/app.ts'

const path = '/v1/completions'

test('an answer has the shape of OpenAI', async () => {
  const { body } = await testApp().post(path, { model: 'tiny', prompt: 'Hi' }, { 'x-request-id': 'r' })
  expect(body).toEqual({
    id: 'cmpl-r',
    object: 'text_completion',
    created: expect.any(Number),
    model: 'tiny',
    choices: [{ index: 0, text: 'Hello world', logprobs: null, finish_reason: 'stop', matched_stop: null }],
    usage: expect.objectContaining({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }),
  })
})

test.each([
  ['text', 'Hi', [{ kind: 'text', text: 'Hi', addSpecial: true }]],
  [
    'texts',
    ['a', 'b'],
    [
      { kind: 'text', text: 'a', addSpecial: true },
      { kind: 'text', text: 'b', addSpecial: true },
    ],
  ],
  ['ids', [1, 2], [{ kind: 'ids', ids: Uint32Array.of(1, 2) }]],
  [
    'lists of ids',
    [[1], [2, 3]],
    [
      { kind: 'ids', ids: Uint32Array.of(1) },
      { kind: 'ids', ids: Uint32Array.of(2, 3) },
    ],
  ],
] as const)('a prompt of %s', async (_, prompt, expected) => {
  const app = testApp()
  await app.post(path, { model: 'tiny', prompt })
  expect(app.pipeline.requests.map((request) => request.prompt)).toEqual(expected as never)
})

test('choice i of prompt p has index p·n+i, and usage is the sum', async () => {
  const { body } = await testApp().post(path, { model: 'tiny', prompt: ['a', 'b'], n: 2 })
  expect(body.choices.map((choice: { index: number }) => choice.index)).toEqual([0, 1, 2, 3])
  expect(body.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 8, prompt_tokens_details: { cached_tokens: 2 } })
})

test('16 tokens unless the client says more; best_of, echo and logprobs reach the pipeline', async () => {
  const app = testApp()
  await app.post(path, { model: 'tiny', prompt: 'a', best_of: 3, n: 2, echo: true, logprobs: 2, add_special_tokens: false })
  expect(app.pipeline.requests[0]).toMatchObject({
    defaultMaxTokens: 16,
    bestOf: 3,
    n: 2,
    echo: true,
    topLogprobs: 2,
    prompt: { addSpecial: false },
  })
})

test('logprobs in the four columns of completions', async () => {
  const { body } = await testApp().post(path, { model: 'tiny', prompt: 'a', logprobs: 1 })
  expect(body.choices[0].logprobs).toEqual({
    tokens: ['Hello', ' world'],
    token_logprobs: [-0.5, -0.5],
    top_logprobs: [{ Hello: -0.5 }, { ' world': -0.5 }],
    text_offset: [0, 5],
  })
})

test('a batch can be streamed', async () => {
  const app = testApp()
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tiny', prompt: ['a', 'b'], stream: true }),
  }
  const text = await (await app.get(path, init)).text()
  const texts = ['', '']
  for (const event of text.trim().split('\n\n')) {
    if (event === 'data: [DONE]') continue
    for (const choice of JSON.parse(event.slice(6)).choices) texts[choice.index] += choice.text
  }
  expect(texts).toEqual(['Hello world', 'Hello world'])
})

test('a whole answer with too many logprobs is refused instead of held', async () => {
  const app = testApp({ script: { pieces: Array(3000).fill('x') } })
  const answer = await app.post('/v1/completions', { model: 'tiny', prompt: Array(1500).fill('hi'), logprobs: 1 })
  expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([400, 'invalid_value', 'logprobs'])
}, 120_000)

test('no new tokens: only with echo, which then scores the prompt', async () => {
  const app = testApp()
  expect(await app.post(path, { model: 'tiny', prompt: 'Hi', max_tokens: 0 })).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_value', param: 'max_tokens' } },
  })
  const { status } = await app.post(path, { model: 'tiny', prompt: 'Hi', max_tokens: 0, echo: true, logprobs: 1 })
  expect(status).toBe(200)
  expect(app.pipeline.requests[0]).toMatchObject({ sampling: { max_new_tokens: 0 }, echo: true, topLogprobs: 1 })
})
