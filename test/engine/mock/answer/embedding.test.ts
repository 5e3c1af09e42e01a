import { describe, expect, test } from 'bun:test'
import { answer, request, started } from '../world.ts'

const prompt = Array.from({ length: 40 }, (_, i) => i)

describe('embeddings', () => {
  const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
  const signal = new AbortController().signal
  const engine = started({ isEmbedding: true, embeddingSize: 128 })
  const embed = async (ids: number[]) => (await engine).embed({ requestId: 'e', promptIds: Uint32Array.from(ids) }, signal)

  test('a vector of length 1, always the same', async () => {
    const { vector, promptTokens } = await embed(prompt)
    expect([vector.length, promptTokens]).toEqual([128, 40])
    expect(cosine(vector, vector)).toBeCloseTo(1)
    expect((await embed(prompt)).vector).toEqual(vector)
  })

  test('texts that share words are near, others are not, and order matters', async () => {
    const [whole, most, other, turned] = await Promise.all([
      embed(prompt),
      embed(prompt.slice(0, 35)),
      embed(prompt.map((id) => id + 500)),
      embed(prompt.toReversed()),
    ])
    expect(cosine(whole.vector, most.vector)).toBeGreaterThan(0.85)
    expect(cosine(whole.vector, other.vector)).toBeLessThan(0.4)
    expect(cosine(whole.vector, turned.vector)).toBeWithin(0.7, 0.9999)
  })

  test('each kind of engine refuses the other kind of request', async () => {
    const text = await started()
    await expect(text.embed({ requestId: 'e', promptIds: Uint32Array.of(1) }, signal)).rejects.toMatchObject({
      code: 'engine_rejected',
      status: 400,
    })
    expect((await answer(await engine, request(prompt))).finish).toMatchObject({ kind: 'abort', status: 400 })
  })
})
