// The npm client against servers that are set up differently: embeddings, a limit, faults, and answers under a schema.
import { afterAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { model, openai } from '../helpers/openai.ts'
import { eventually, idle, type Started, type StartOptions, start } from '../helpers/processes/start.ts'

const running: Started[] = []
afterAll(() => Promise.all(running.map((server) => server.stop())))

async function serving(options: StartOptions): Promise<{ server: Started; client: OpenAI }> {
  const server = await start(options)
  running.push(server)
  return { server, client: openai(server) }
}

const messages = [{ role: 'user' as const, content: 'Say something.' }]
/** What a request is refused with. */
const refusal = (request: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(request).then(
    () => undefined,
    (error: unknown) => error,
  )

test('json_schema: .parse() gives the object', async () => {
  const { client } = await serving({})
  const City = z.object({ name: z.string(), people: z.number().int(), tags: z.array(z.string()), kind: z.enum(['town', 'city']) })
  const answer = await client.chat.completions.parse({ model, messages, max_tokens: 200, response_format: zodResponseFormat(City, 'city') })
  const parsed = answer.choices[0]!.message.parsed!
  expect(City.parse(parsed)).toEqual(parsed)
  const stream = client.chat.completions.stream({ model, messages, max_tokens: 200, response_format: zodResponseFormat(City, 'city') })
  expect((await stream.finalChatCompletion()).choices[0]!.message.parsed).toEqual(parsed)
})

describe('embeddings', () => {
  test('one, many, ids; floats equal base64; dimensions', async () => {
    const { client } = await serving({ args: ['--embedding-worker'] })
    const ask = (more: Record<string, unknown>) => client.embeddings.create({ model, input: 'hello', ...more })
    // The client asks for base64 by itself when no format is given, and turns it into numbers.
    const plain = await ask({})
    const floats = await ask({ encoding_format: 'float' })
    expect(plain.data[0]!.embedding).toHaveLength(floats.data[0]!.embedding.length)
    for (const [i, value] of floats.data[0]!.embedding.entries()) expect(plain.data[0]!.embedding[i]!).toBeCloseTo(value, 6)
    const many = await ask({ input: ['hello', 'world'] })
    expect(many.data.map((one) => one.index)).toEqual([0, 1])
    expect(many.data[0]!.embedding).toEqual(plain.data[0]!.embedding)
    expect(many.usage.prompt_tokens).toBe(many.usage.total_tokens)
    expect((await ask({ input: [[5, 6], [7]] })).data).toHaveLength(2)
    const short = (await ask({ dimensions: 8, encoding_format: 'float' })).data[0]!.embedding
    expect(short).toHaveLength(8)
    expect(Math.hypot(...short)).toBeCloseTo(1, 4)
    expect(await refusal(ask({ input: '' }))).toBeInstanceOf(OpenAI.BadRequestError)
  })
})

test('over the limit: RateLimitError where the operator chose 429', async () => {
  const { server, client } = await serving({ args: ['--speedup-ratio', '1', '--max-inflight', '1', '--overload-status', '429'] })
  const abort = new AbortController()
  const slow = refusal(client.chat.completions.create({ model, messages, max_tokens: 4000 }, { signal: abort.signal }))
  await eventually('the slow request runs', async () => (await server.metric('dynamo_frontend_inflight_requests')) > 0)
  const error = await refusal(client.chat.completions.create({ model, messages, max_tokens: 1 }))
  expect(error).toBeInstanceOf(OpenAI.RateLimitError)
  expect((error as InstanceType<typeof OpenAI.APIError>).headers!.get('retry-after')).toMatch(/^\d+$/)
  abort.abort()
  expect(await slow).toBeInstanceOf(OpenAI.APIUserAbortError)
  await idle(server)
  expect(await refusal(client.chat.completions.create({ model, messages, max_tokens: 1 }))).toBeUndefined()
})

describe('an engine that fails', () => {
  test('refuses: 503, an error of the server, before a stream begins', async () => {
    // Every second one: the first is the health check's.
    const { client } = await serving({ args: ['--mock-failure', 'refuse=2'] })
    for (const stream of [false, true]) {
      const errors: unknown[] = []
      for (let i = 0; i < 4; i++) errors.push(await refusal(client.chat.completions.create({ model, messages, max_tokens: 4, stream })))
      const refused = errors.filter((error) => error !== undefined)
      expect(refused.length).toBeGreaterThan(0)
      for (const error of refused) {
        expect(error).toBeInstanceOf(OpenAI.InternalServerError)
        expect(error).toMatchObject({ status: 503, type: 'server_error' })
      }
    }
  })
  test('dies in a stream: the client’s loop ends with the error, the next request is served', async () => {
    const args = ['--speedup-ratio', '20', '--mock-failure', 'crash-after=40,restart=200', '--migration-limit', '0']
    const { server, client } = await serving({ args })
    let pieces = 0
    const error = await refusal(
      (async () => {
        const stream = await client.chat.completions.create({ model, messages, max_tokens: 400, stream: true })
        for await (const _ of stream) pieces++
      })(),
    )
    expect(pieces).toBeGreaterThan(0)
    expect(error).toBeInstanceOf(OpenAI.APIError)
    await idle(server)
    await eventually(
      'the engine is back',
      async () => (await refusal(client.chat.completions.create({ model, messages, max_tokens: 2 }))) === undefined,
    )
  })
  test('dies in a stream and is back soon: the client sees a pause, not an error', async () => {
    const { client } = await serving({ args: ['--speedup-ratio', '20', '--mock-failure', 'crash-after=40,restart=200'] })
    const stream = await client.chat.completions.create({
      model,
      messages,
      max_tokens: 100,
      stream: true,
      stream_options: { include_usage: true },
    })
    let finish: string | null | undefined
    let tokens = 0
    for await (const chunk of stream) {
      finish = chunk.choices[0]?.finish_reason ?? finish
      tokens = chunk.usage?.completion_tokens ?? tokens
    }
    expect([finish, tokens]).toEqual(['length', 100])
  })
})
