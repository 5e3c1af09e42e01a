// SGLang's /generate stream into a sink, in both styles that its servers have.
import { expect, test } from 'bun:test'
import { HttpAnswer, readEvents } from '../../../../src/engine/sglang/http/stream.ts'

const meta = (completion: number, more: object = {}) => ({ prompt_tokens: 4, completion_tokens: completion, cached_tokens: 1, ...more })
const cumulative = [
  { output_ids: [7], meta_info: meta(1) },
  { output_ids: [7, 8, 9], meta_info: meta(3) },
  { output_ids: [7, 8, 9, 3], meta_info: meta(4, { finish_reason: { type: 'stop', matched: 3 } }) },
]
const incremental = [
  { output_ids: [7], meta_info: meta(1) },
  { output_ids: [8, 9], meta_info: meta(3) },
  { output_ids: [3], meta_info: meta(4, { finish_reason: { type: 'stop', matched: 3 } }) },
]

function listen(said: boolean | undefined) {
  const ids: number[] = []
  const logprobs: unknown[] = []
  const sink = {
    push(all: Int32Array, start: number, end: number, values: unknown) {
      ids.push(...all.subarray(start, end))
      logprobs.push(values)
    },
    promptLogprobs: (prompt: unknown) => logprobs.push(prompt),
    end() {},
    fail() {},
  }
  return { ids, logprobs, answer: new HttpAnswer(sink, said, () => {}) }
}

test.each([
  ['cumulative, told', cumulative, true],
  ['cumulative, found out', cumulative, undefined],
  ['incremental, told', incremental, false],
  ['incremental, found out', incremental, undefined],
] as const)('%s', (_name, events, said) => {
  const { ids, answer } = listen(said)
  for (const event of events) answer.take(JSON.stringify(event))
  expect(ids).toEqual([7, 8, 9, 3])
  expect(answer.finish).toEqual({ kind: 'stop', matched: 3 })
  expect(answer.usage).toEqual({ promptTokens: 4, completionTokens: 4, cachedTokens: 1, reasoningTokens: 0 })
})

test('logprobs of new tokens only, the prompt’s once', () => {
  const { logprobs, answer } = listen(true)
  const prompt = {
    input_token_logprobs: [
      [null, 1, null],
      [-2, 2, null],
    ],
  }
  const first = { output_token_logprobs: [[-0.5, 7, null]], output_top_logprobs: [[[-0.5, 7, null]]] }
  const second = {
    output_token_logprobs: [...first.output_token_logprobs, [-0.25, 8, null]],
    output_top_logprobs: [...first.output_top_logprobs, [[-0.25, 8, null]]],
  }
  answer.take(JSON.stringify({ output_ids: [7], meta_info: meta(1, { ...prompt, ...first }) }))
  answer.take(JSON.stringify({ output_ids: [7, 8], meta_info: meta(2, { ...prompt, ...second }) }))
  expect(logprobs).toEqual([
    { ids: [1, 2], values: [null, -2] },
    { values: [-0.5], top: [{ ids: [7], values: [-0.5] }] },
    { values: [-0.25], top: [{ ids: [8], values: [-0.25] }] },
  ])
})

test('an error event is a refusal with its status', () => {
  const { answer } = listen(true)
  answer.take('{"error":{"message":"too long","code":400}}')
  expect(answer.error).toMatchObject({ code: 'engine_rejected', status: 400, message: 'too long' })
})

test('events are found however the body is cut', async () => {
  const bytes = new TextEncoder().encode('data: {"a":"ü"}\n\n: comment\ndata: {"b":2}\r\n\r\ndata: [DONE]\n\n')
  for (const size of [1, 2, 5, 100]) {
    const seen: string[] = []
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
        controller.close()
      },
    })
    await readEvents(body, (json) => seen.push(json))
    expect(seen).toEqual(['{"a":"ü"}', '{"b":2}'])
  }
})

test('a server that does not see the pictures is told, and nothing of its answer is', () => {
  const heard: string[] = []
  const sink = { push: () => heard.push('push'), end: () => heard.push('end'), fail: () => heard.push('fail') }
  const answer = new HttpAnswer(sink, false, () => heard.push('abort'), 40)
  for (let i = 1; i <= 2; i++) answer.take(JSON.stringify({ output_ids: [i], meta_info: { prompt_tokens: 12, completion_tokens: i } }))
  expect(heard).toEqual(['abort'])
  expect(answer.error).toMatchObject({ code: 'engine_failed', message: expect.stringContaining('12 prompt tokens') })
})
