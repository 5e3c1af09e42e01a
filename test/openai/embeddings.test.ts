// Vectors as numbers and as base64, and what reaches the pipeline.
import { expect, test } from 'bun:test'
import { testApp } from '../helpers/fakes/app.ts'

const path = '/v1/embeddings'

test('one vector for each input', async () => {
  const app = testApp()
  const { body, headers } = await app.post(path, { model: 'tiny', input: ['a', 'b'], dimensions: 2 })
  expect(body).toEqual({
    object: 'list',
    data: [
      { object: 'embedding', index: 0, embedding: [0, 0.5] },
      { object: 'embedding', index: 1, embedding: [1, 0.5] },
    ],
    model: 'tiny',
    usage: { prompt_tokens: 4, total_tokens: 4 },
  })
  expect(headers.get('x-worker-id')).toBe('w0')
  expect(app.pipeline.embeddings[0]).toMatchObject({ inputs: ['a', 'b'], dimensions: 2 })
})

test('base64 is little-endian 32-bit floats', async () => {
  const { body } = await testApp().post(path, { model: 'tiny', input: [1, 2], encoding_format: 'base64' })
  const bytes = Buffer.from(body.data[0].embedding, 'base64')
  expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([0, 0.5])
})

test('token ids, one list or several', async () => {
  const app = testApp()
  await app.post(path, { model: 'tiny', input: [1, 2] })
  await app.post(path, { model: 'tiny', input: [[1], [2]], priority: 4 })
  expect(app.pipeline.embeddings.map((request) => request.inputs)).toEqual([[Uint32Array.of(1, 2)], [Uint32Array.of(1), Uint32Array.of(2)]])
  expect(app.pipeline.embeddings[1]!.options).toEqual({ priority: 4 })
})
