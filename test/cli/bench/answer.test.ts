import { describe, expect, test } from 'bun:test'
import { Answer } from '../../../src/cli/bench/answer.ts'

const chunk = (delta: object) => `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`
const usage = { prompt_tokens: 9, completion_tokens: 12, prompt_tokens_details: { cached_tokens: 4 } }
const stream = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'Grüße ' }),
  chunk({ content: '世界 "quoted"' }),
  `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
  'data: [DONE]\n\n',
].join('')

/** Feeds pieces of a body, one a millisecond. */
function play(pieces: (string | Buffer)[], { status = 200, streamed = true } = {}) {
  let clock = 100
  const gaps: number[] = []
  let ends = 0
  const answer = new Answer({ startedAt: 100, stream: streamed, onGap: (ms) => gaps.push(ms), onEnd: () => ends++, now: () => clock })
  answer.head(status)
  for (const piece of pieces) {
    clock++
    const bytes = Buffer.from(piece)
    answer.body(bytes, 0, bytes.length)
  }
  answer.done()
  return { ...answer.outcome(), gaps, ends }
}

describe('a stream', () => {
  test('first token at the first text, gaps between texts, tokens as the server counts them', () => {
    const events = stream.split(/(?<=\n\n)/)
    expect(play(events)).toEqual({
      error: undefined,
      ttftMs: 2,
      totalMs: 5,
      promptTokens: 9,
      cachedTokens: 4,
      outputTokens: 12,
      gaps: [1],
      ends: 1,
    })
  })

  test('read alike however it is cut, with either line end', () => {
    for (const text of [stream, stream.replaceAll('\n', '\r\n')]) {
      const bytes = Buffer.from(text)
      for (let cut = 0; cut <= bytes.length; cut++) {
        const { error, outputTokens, gaps } = play([bytes.subarray(0, cut), bytes.subarray(cut)])
        expect([error, outputTokens, gaps.length]).toEqual([undefined, 12, 1])
      }
    }
  })

  test('without usage, events count as tokens; spaces in the JSON do not matter', () => {
    const text = 'data: {"choices": [{"text": "a"}]}\n\ndata: {"choices": [{"text": "b"}], "usage": null}\n\ndata: [DONE]\n\n'
    expect(play([text])).toMatchObject({ outputTokens: 2, error: undefined })
  })

  test.each([
    ['reasoning', chunk({ reasoning_content: 'hm' })],
    ['a tool call', chunk({ tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] })],
  ])('%s is content too', (_, event) => {
    expect(play([event, 'data: [DONE]\n\n']).outputTokens).toBe(1)
  })

  test.each([
    ['an error event', 'data: {"error":{"message":"x","code":"engine_failed"}}\n\n', 'in stream engine_failed'],
    ['no [DONE]', chunk({ content: 'a' }), 'stream ended without [DONE]'],
  ])('%s makes it fail', (_, text, error) => {
    expect(play([text]).error).toBe(error)
  })
})

describe('a whole answer', () => {
  test('has its tokens in usage', () => {
    expect(play([JSON.stringify({ choices: [], usage })], { streamed: false })).toMatchObject({ error: undefined, outputTokens: 12 })
  })

  test.each([
    ['OpenAI error', 400, '{"error":{"message":"x","type":"invalid_request_error","code":"invalid_value"}}', '400 invalid_value'],
    ['error without a code', 500, '{"error":{"message":"x","type":"server_error","code":null}}', '500 server_error'],
    ['another error', 502, '<html>', '502'],
    ['200 that is no JSON', 200, 'hello', '200 without JSON'],
  ])('%s', (_, status, body, error) => {
    for (const streamed of status === 200 ? [false] : [true, false]) expect(play([body], { status, streamed }).error).toBe(error)
  })
})
