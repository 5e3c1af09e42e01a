// Whatever a field holds, the server answers 200 or a 4xx that names a parameter; never 500. Values and places come from a seed.
import { expect, test } from 'bun:test'
import { chatShape } from '../../src/openai/schema/chat.ts'
import { completionShape } from '../../src/openai/schema/completions.ts'
import { embeddingShape } from '../../src/openai/schema/embeddings.ts'
import { testApp } from '../helpers/fakes/app.ts'

const values: unknown[] = [
  null, true, false, 0, -1, 1, 2, 1.5, 1e308, -1e308, 4294967296, '', 'x', '{', '\ud800', '__proto__', [], [null], [1], ['a'], [[]], [[1]], [{}], {},
  { type: 'text' }, { type: 'json_object' }, { type: 'json_schema', json_schema: {} }, { type: 'function' }, { type: 'structural_tag' }, { role: 'user' },
  [{ role: 'user', content: '' }], [{ role: 'assistant' }], [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: '[' } }] }],
  [{ role: 'tool', content: null, tool_call_id: '' }], [{ role: 'user', content: [{ type: 'text', text: '' }] }], [{ type: 'function', function: { name: 'f' } }],
  { json: '{' }, { choice: ['('] }, { include_usage: true }, { extra_fields: ['timing'] }, { dp_rank: -1 }, { token_data: [] }, { agent_hints: { priority: 1e9 } },
] // biome-ignore format: a table

const bases: [string, Record<string, unknown>, string[]][] = [
  ['/v1/chat/completions', { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] }, Object.keys(chatShape)],
  ['/v1/completions', { model: 'tiny', prompt: 'Hi' }, Object.keys(completionShape)],
  ['/v1/embeddings', { model: 'tiny', input: 'Hi' }, Object.keys(embeddingShape)],
]

async function check(path: string, body: unknown): Promise<void> {
  const answer = await app.get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const text = await answer.text()
  if (answer.status === 200) return
  const shown = `${path} ${JSON.stringify(body)} → ${text}`
  expect([answer.status >= 400 && answer.status < 500, shown]).toEqual([true, shown])
  expect(JSON.parse(text).error).toEqual({
    message: expect.any(String),
    type: 'invalid_request_error',
    param: expect.any(String),
    code: expect.any(String),
  })
}

const app = testApp()

test.each(bases)(
  '%s: each field with each value',
  async (path, base, names) => {
    for (const name of names) for (const value of values) await check(path, { ...base, [name]: value })
  },
  30_000,
)

test.each(bases)(
  '%s: several fields at once',
  async (path, base, names) => {
    let seed = 1
    const pick = <T>(list: readonly T[]): T => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return list[seed % list.length]!
    }
    for (let round = 0; round < 1500; round++) {
      const body: Record<string, unknown> = { ...base }
      for (let i = 0; i < 3; i++) body[pick(names)] = pick(values)
      await check(path, body)
    }
  },
  30_000,
)
