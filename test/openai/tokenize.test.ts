// /tokenize and /detokenize in the shapes of SGLang's and vLLM's servers; /v1/models.
import { expect, test } from 'bun:test'
import { testApp } from '../helpers/fakes/app.ts'

const app = testApp()

test('a text, a batch, messages', async () => {
  expect((await app.post('/tokenize', { prompt: 'Hi' })).body).toEqual({ tokens: [72, 105], count: 2, max_model_len: 2048 })
  expect((await app.post('/v1/tokenize', { prompt: ['H', 'Hi'] })).body).toMatchObject({ tokens: [[72], [72, 105]], count: [1, 2] })
  expect((await app.post('/tokenize', { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] })).body.count).toBeGreaterThan(10)
  expect((await app.post('/tokenize', { prompt: 'Hi', return_token_strs: true })).body.token_strs).toEqual(['H', 'i'])
})

test('ids back to text, one list or several', async () => {
  expect((await app.post('/detokenize', { tokens: [72, 105] })).body).toEqual({ text: 'Hi', prompt: 'Hi' })
  expect((await app.post('/v1/detokenize', { tokens: [[72], [105]] })).body.text).toEqual(['H', 'i'])
  expect((await app.post('/detokenize', { tokens: [] })).body.text).toBe('')
})

test('a model that is not served', async () => {
  expect((await app.post('/tokenize', { model: 'nope', prompt: 'a' })).body.error).toMatchObject({
    code: 'model_not_found',
    param: 'model',
  })
})

test('models and aliases, ids with slashes', async () => {
  const list = (await (await app.get('/v1/models')).json()) as { data: { id: string; root: string }[] }
  expect(list.data.map((model) => [model.id, model.root])).toEqual([
    ['tiny', 'tiny'],
    ['org/tiny-alias', 'tiny'],
  ])
  for (const path of ['/v1/models/org/tiny-alias', '/v1/models/org%2Ftiny-alias']) {
    const model = await (await app.get(path)).json()
    expect(model).toMatchObject({
      id: 'org/tiny-alias',
      object: 'model',
      owned_by: 'dynamo-sglang',
      max_model_len: 2048,
      context_window: 2048,
    })
  }
  for (const path of ['/v1/models/nope', '/v1/models/%E0%A4%A']) expect((await app.get(path)).status).toBe(404)
})
