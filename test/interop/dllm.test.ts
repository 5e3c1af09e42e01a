// Text diffusion through the product beside SGLang's own HTTP server: the same text, streamed in blocks, and a health canary that passes.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { need } from '../helpers/need.ts'
import { type SglangServer, startSglangServer } from '../helpers/processes/sglang-server.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyDiffusionModel } from '../helpers/sglang.ts'
import { ask } from './equality.ts'

const python = sglangPython()
const name = 'tiny-llada2'
const START_MS = 600_000
const CASE_MS = 300_000
const hello = [{ role: 'user', content: 'Hello, how are you?' }]

describe.skipIf(!need('a Python with SGLang (bun run sglang:setup)', python !== undefined))('text diffusion', () => {
  let peer: SglangServer
  let ours: Started

  beforeAll(async () => {
    const { path, args } = await tinyDiffusionModel()
    const front = ['serve', '--http-host', '127.0.0.1', '--http-port', '{port}', '--served-model-name', name, '--python', python!]
    ;[peer, ours] = await Promise.all([
      startSglangServer(python!, path, [...args, '--served-model-name', name]),
      start({ command: [...front, ...cpuArgs(path), ...args], env: cpuEnv(), readySecs: START_MS / 1000 }),
    ])
  }, START_MS)
  afterAll(async () => {
    await ours?.stop(30_000)
    await peer?.stop()
  }, CASE_MS)

  test.each([
    ['chat', '/v1/chat/completions', { messages: hello, max_tokens: 40, ignore_eos: true }],
    ['until EOS', '/v1/chat/completions', { messages: hello, max_tokens: 100 }],
    ['a temperature, which the algorithm has no use for', '/v1/chat/completions', { messages: hello, max_tokens: 20, temperature: 0.9 }],
    ['a stop string', '/v1/chat/completions', { messages: hello, max_tokens: 70, stop: ['tired', 'sh'] }],
    ['one token', '/v1/completions', { prompt: 'a', max_tokens: 1 }],
    ['a completion', '/v1/completions', { prompt: 'Once upon a time there was a river', max_tokens: 34, ignore_eos: true }],
    ['two choices', '/v1/completions', { prompt: 'Once upon', max_tokens: 40, n: 2, ignore_eos: true }],
  ])(
    'the same answer: %s',
    async (_, path, body) => {
      const request = { temperature: 0, ...body }
      const [wanted, whole] = await Promise.all([peer, ours].map(({ url }) => ask(url, name, path, request)))
      expect(wanted!.status).toBe(200)
      expect(whole).toEqual(wanted!)
      expect(await ask(ours.url, name, path, request, true)).toEqual(wanted!)
    },
    CASE_MS,
  )

  test(
    'a stream has an event a block, not one a step or token',
    async () => {
      const response = await fetch(`${ours.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: name, messages: hello, max_tokens: 96, temperature: 0, ignore_eos: true, stream: true }),
      })
      const events = (await response.text()).split('\n').filter((line) => line.includes('"content":"') && !line.includes('"content":""'))
      expect([3, 4]).toContain(events.length)
    },
    CASE_MS,
  )

  test(
    'health: the canary passed',
    async () => {
      const { status, workers } = (await (await fetch(`${ours.url}/health`)).json()) as {
        status: string
        workers: { ranks: { canary: string }[] }[]
      }
      expect([status, workers[0]?.ranks[0]?.canary]).toEqual(['healthy', 'passed'])
    },
    CASE_MS,
  )

  test(
    'a JSON schema is a clear refusal, where SGLang never answers',
    async () => {
      const schema = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } }
      const { status } = await ask(ours.url, name, '/v1/chat/completions', { messages: hello, response_format: schema })
      expect(status).toBe(400)
    },
    CASE_MS,
  )
})
