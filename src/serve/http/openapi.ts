// GET /openapi.json, made from the schemas that check the requests. Loaded when it is asked for.
import { z } from 'zod'
import { errorCodes } from '../../lib/errors.ts'
import * as answers from '../../openai/schema/answers.ts'
import { chatShape } from '../../openai/schema/chat.ts'
import { completionShape } from '../../openai/schema/completions.ts'
import { embeddingShape } from '../../openai/schema/embeddings.ts'
import { detokenizeShape, tokenizeShape } from '../../openai/schema/tokenize.ts'
import { controlPaths } from '../control/openapi.ts'
import { mediaPaths } from '../media/openapi.ts'
import { errors, jsonOf, schemaOf } from './openapi-parts.ts'

interface Post {
  summary: string
  body: z.ZodType
  answer: z.ZodType
  chunk?: z.ZodType
  example: unknown
}

const chat = { model: 'tiny-llm', messages: [{ role: 'user', content: 'Hello!' }] }
const tokenize: Post = {
  summary: 'Text or messages to token ids',
  body: z.strictObject(tokenizeShape),
  answer: answers.tokenizeAnswer,
  example: { prompt: 'Hello!' },
}
const detokenize: Post = {
  summary: 'Token ids to text',
  body: z.strictObject(detokenizeShape),
  answer: answers.detokenizeAnswer,
  example: { tokens: [1, 2, 3] },
}

const posts: Record<string, Post> = {
  '/v1/chat/completions': {
    summary: 'Answer a conversation',
    body: z.strictObject(chatShape),
    answer: answers.chatAnswer,
    chunk: answers.chatChunk,
    example: chat,
  },
  '/v1/completions': {
    summary: 'Continue a text',
    body: z.strictObject(completionShape),
    answer: answers.completionAnswer,
    chunk: answers.completionAnswer,
    example: { model: 'tiny-llm', prompt: 'Once upon a time', max_tokens: 16 },
  },
  '/v1/embeddings': {
    summary: 'Texts to vectors',
    body: z.strictObject(embeddingShape),
    answer: answers.embeddingAnswer,
    example: { model: 'tiny-embed', input: ['Hello!'] },
  },
  '/tokenize': tokenize,
  '/detokenize': detokenize,
  '/v1/tokenize': tokenize,
  '/v1/detokenize': detokenize,
}

const text = (type: string) => ({ content: { [type]: { schema: { type: 'string' } } } })
const someJson = { content: { 'application/json': { schema: { type: 'object' } } } }
const gets: Record<string, { summary: string; ok: object; errors: readonly number[] }> = {
  '/v1/models': { summary: 'The models that are served', ok: jsonOf(answers.modelsAnswer), errors: [] },
  '/v1/models/{id}': { summary: 'One model; the id may hold slashes', ok: jsonOf(answers.modelAnswer), errors: [404] },
  '/live': { summary: 'The process answers', ok: someJson, errors: [] },
  '/ready': { summary: 'A request sent now would be answered', ok: someJson, errors: [503] },
  '/health': { summary: 'Each worker, with a one-token check of its engine', ok: someJson, errors: [503] },
  '/metrics': { summary: 'Prometheus text: dynamo_* and the engines’ own', ok: text('text/plain'), errors: [] },
  '/openapi.json': { summary: 'This document', ok: someJson, errors: [] },
  '/docs': { summary: 'This document as a page', ok: text('text/html'), errors: [] },
}

const requestHeaders = [
  ['x-request-id', 'Names the request in headers, answers and logs; made when absent.'],
  ['x-dynamo-worker-instance-id', 'Only this worker; wins over nvext.'],
  ['x-dynamo-dp-rank', 'Only this data-parallel rank; wins over nvext.'],
  ['x-dynamo-prefill-instance-id', 'With prefill and decode apart: only this worker on the prefill side; wins over nvext.'],
  ['x-dynamo-prefill-dp-rank', 'The same for its data-parallel rank.'],
  ['x-dynamo-session-id', 'Requests of one session go to one worker while it lives (x-session-id is the same).'],
  ['x-tenant-id', 'Cache salt: prefixes are shared only within it; wins over cache_salt.'],
] as const

const answerHeaders = {
  'x-request-id': { description: 'The request’s id.', schema: { type: 'string' } },
  'x-worker-id': { description: 'The worker that made the answer.', schema: { type: 'string' } },
  'x-dp-rank': { description: 'Its data-parallel rank, where one was chosen.', schema: { type: 'integer' } },
  'x-kv-overlap': { description: 'Prompt tokens that the worker was believed to hold already.', schema: { type: 'integer' } },
  'x-prefill-worker-id': { description: 'With prefill and decode apart: the worker of the prompt.', schema: { type: 'string' } },
  'x-prefill-dp-rank': { description: 'Its data-parallel rank.', schema: { type: 'integer' } },
}

let made: object | undefined

/** OpenAPI 3.1. The same object each time. */
export function openapiDocument(version: string): object {
  made ??= {
    openapi: '3.1.0',
    info: { title: 'dynamo-sglang', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths: { ...postPaths(), ...getPaths(), ...mediaPaths(), ...controlPaths() },
    components: { schemas: { Error: schemaOf(answers.errorAnswer, 'output') } },
  }
  return made
}

function postPaths(): Record<string, object> {
  const paths: Record<string, object> = {}
  for (const [path, { summary, body, answer, chunk, example }] of Object.entries(posts)) {
    const content: Record<string, object> = { ...jsonOf(answer).content }
    if (chunk !== undefined)
      content['text/event-stream'] = { schema: { description: 'With "stream": true; ends with [DONE].', ...schemaOf(chunk, 'output') } }
    paths[path] = {
      post: {
        summary,
        operationId: path.slice(1).replaceAll('/', '_'),
        parameters: requestHeaders.map(([name, description]) => ({ name, in: 'header', description, schema: { type: 'string' } })),
        requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input'), example } } },
        responses: {
          200: { description: 'The answer', headers: answerHeaders, content },
          ...errors(Object.values(errorCodes).map(([status]) => status)),
        },
      },
    }
  }
  return paths
}

function getPaths(): Record<string, object> {
  const paths: Record<string, object> = {}
  for (const [path, { summary, ok, errors: statuses }] of Object.entries(gets)) {
    const parameters = path.includes('{id}') ? [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }] : []
    paths[path] = {
      get: {
        summary,
        operationId: path
          .slice(1)
          .replaceAll(/[/.{}]+/g, '_')
          .replace(/_$/, ''),
        parameters,
        responses: { 200: { description: summary, ...ok }, ...errors(statuses) },
      },
    }
  }
  return paths
}
