import { describe, expect, test } from 'bun:test'
import { parseBenchOptions } from '../../../src/cli/bench/options.ts'
import { promptMaker } from '../../../src/cli/bench/prompts.ts'
import { apiUrl, requestMaker } from '../../../src/cli/bench/request.ts'

const parse = (line: string) => parseBenchOptions(line.split(' ').filter(Boolean))!

describe('flags', () => {
  test('without any: ten rounds of 64 streamed chats on this machine', () => {
    expect(parse('')).toMatchObject({
      endpoint: 'chat',
      concurrency: 64,
      numRequests: 640,
      durationSecs: Number.POSITIVE_INFINITY,
      inputTokens: 128,
      outputTokens: 128,
      stream: true,
      ignoreEos: false,
    })
    expect(parse('').url.href).toBe('http://127.0.0.1:8000/')
  })

  test('the open loop has no bound on what runs, unless one is given', () => {
    expect(parse('--rate 10')).toMatchObject({ rate: 10, concurrency: Number.POSITIVE_INFINITY, numRequests: 100 })
    expect(parse('--rate 10 --concurrency 3 --duration-secs 5')).toMatchObject({
      concurrency: 3,
      numRequests: Number.POSITIVE_INFINITY,
      durationSecs: 5,
    })
  })

  test('the rest as written', () => {
    const read = parse(
      '--no-stream --ignore-eos --endpoint completions --pids server=12,34 --extra-body {"top_k":1} --url example.com:9/v2/',
    )
    expect(read).toMatchObject({ stream: false, ignoreEos: true, endpoint: 'completions', extraBody: { top_k: 1 } })
    expect(read.pids).toEqual([
      { name: 'server', pid: 12 },
      { name: '34', pid: 34 },
    ])
    expect(apiUrl(read.url).href).toBe('http://example.com:9/v2')
  })

  test('the key never reaches the report', () => {
    expect(parse('--api-key secret').command).toBe("dynamo-sglang bench --api-key '***'")
    expect(parse('--api-key=secret').command).not.toContain('secret')
  })

  test.each([
    ['--concurrency 0', /--concurrency.*whole number of at least 1/],
    ['--rate -1', /--rate.*above 0/],
    ['--url ftp://x', /http or https/],
    ['--endpoint embeddings', /Allowed choices are chat, completions/],
    ['--extra-body [1]', /JSON object/],
    ['--pids server', /server=123/],
    ['--shared-prefix-tokens 200', /cannot be larger/],
    ['--concurency 3', /unknown option '--concurency'/],
    ['extra', /too many arguments/],
  ])('%s is refused', (line, message) => {
    expect(() => parse(line)).toThrow(expect.objectContaining({ code: 'invalid_setting', message: expect.stringMatching(message) }))
  })
})

describe('requests', () => {
  const sizes = { inputTokens: 50, sharedPrefixTokens: 20, seed: 3 }
  const make = promptMaker(sizes)
  const split = (text: string) => text.split(' ')

  test('prompts have their length, a common start and ends of their own', () => {
    const [a, b] = [split(make(0)), split(make(1))]
    expect([a.length, b.length]).toEqual([50, 50])
    expect(a.slice(0, 20)).toEqual(b.slice(0, 20))
    expect(a.slice(20)).not.toEqual(b.slice(20))
  })

  test('the same seed gives the same prompts', () => {
    expect(promptMaker(sizes)(5)).toBe(make(5))
    expect(promptMaker({ ...sizes, seed: 4 })(5)).not.toBe(make(5))
  })

  test('all shared, or nothing shared', () => {
    expect(split(promptMaker({ ...sizes, sharedPrefixTokens: 50 })(1))).toHaveLength(50)
    expect(split(promptMaker({ ...sizes, sharedPrefixTokens: 0 })(1))).toHaveLength(50)
  })

  test('a chat request on the wire', () => {
    const options = parse('--url http://host:1 --api-key k --ignore-eos --output-tokens 7')
    const [head, body] = Buffer.from(requestMaker(options, 'm', () => 'grüß')(0))
      .toString()
      .split('\r\n\r\n')
    expect(head!.split('\r\n')).toEqual([
      'POST /v1/chat/completions HTTP/1.1',
      'Host: host:1',
      'Content-Type: application/json',
      'Accept: text/event-stream',
      'Authorization: Bearer k',
      `Content-Length: ${Buffer.byteLength(body!)}`,
    ])
    expect(JSON.parse(body!)).toEqual({
      messages: [{ role: 'user', content: 'grüß' }],
      model: 'm',
      max_tokens: 7,
      stream: true,
      stream_options: { include_usage: true },
      ignore_eos: true,
    })
  })
})
