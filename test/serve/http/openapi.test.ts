// The document's schemas describe what the server really answers.
import { expect, test } from 'bun:test'
import type { ZodType } from 'zod'
import * as answers from '../../../src/openai/schema/answers.ts'
import { testApp } from '../../helpers/fakes/app.ts'

interface Operation {
  requestBody?: { content: Record<string, object> }
  responses: Record<string, { content: Record<string, object> }>
}

const chat = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], logprobs: true, top_logprobs: 1 }
const completion = { model: 'tiny', prompt: 'Hi', logprobs: 1 }

test.each([
  ['/v1/chat/completions', chat, answers.chatAnswer],
  ['/v1/chat/completions', { ...chat, return_token_ids: true, nvext: { extra_fields: ['timing'] } }, answers.chatAnswer],
  ['/v1/completions', completion, answers.completionAnswer],
  ['/v1/embeddings', { model: 'tiny', input: 'Hi' }, answers.embeddingAnswer],
  ['/v1/embeddings', { model: 'tiny', input: 'Hi', encoding_format: 'base64' }, answers.embeddingAnswer],
  ['/tokenize', { prompt: 'Hi', return_token_strs: true }, answers.tokenizeAnswer],
  ['/detokenize', { tokens: [72] }, answers.detokenizeAnswer],
  ['/v1/chat/completions', {}, answers.errorAnswer],
] as [string, object, ZodType][])('%s answers %j as documented', async (path, body, schema) => {
  const answer = await testApp().post(path, body)
  expect(schema.safeParse(answer.body)).toMatchObject({ success: true })
})

test.each([
  ['/v1/chat/completions', chat, answers.chatChunk],
  ['/v1/completions', completion, answers.completionAnswer],
] as [string, object, ZodType][])('%s streams chunks as documented', async (path, body, schema) => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...body, stream: true }) }
  const events = (await (await testApp().get(path, init)).text()).trim().split('\n\n').slice(0, -1)
  for (const event of events) expect(schema.safeParse(JSON.parse(event.slice(6)))).toMatchObject({ success: true })
  expect(events.length).toBeGreaterThan(1)
})

test('models are listed as documented', async () => {
  expect(answers.modelsAnswer.safeParse(await (await testApp().get('/v1/models')).json())).toMatchObject({ success: true })
})

test('a media type has only the members that OpenAPI 3.1 gives it', async () => {
  const document = (await (await testApp().get('/openapi.json')).json()) as { paths: Record<string, Record<string, Operation>> }
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const bodies = operations.flatMap(({ requestBody, responses }) => [...(requestBody ? [requestBody] : []), ...Object.values(responses)])
  const members = new Set(bodies.flatMap(({ content }) => Object.values(content).flatMap(Object.keys)))
  expect([...members].sort()).toEqual(['example', 'schema'])
})
