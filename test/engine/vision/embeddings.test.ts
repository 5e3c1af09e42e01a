// What is looked at before rows go anywhere: one row too few kills SGLang's scheduler, and one that holds no numbers is answered with nonsense.
import { expect, test } from 'bun:test'
import { checkEmbeddings, embeddings } from '../../../src/engine/vision/embeddings.ts'
import type { EmbeddingType } from '../../../src/engine/vision/vision.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'

const item = madeUpPicture('a')
const dim = 8
const kinds: Record<EmbeddingType, (values: number[]) => Uint8Array> = {
  float32: (values) => new Uint8Array(new Float32Array(values).buffer),
  float16: (values) => new Uint8Array(new Float16Array(values).buffer),
  // The upper half of a float32.
  bfloat16: (values) =>
    new Uint8Array(new Uint16Array(new Uint16Array(new Float32Array(values).buffer).filter((_, i) => i % 2 === 1)).buffer),
}

for (const [type, bytesOf] of Object.entries(kinds) as [EmbeddingType, (values: number[]) => Uint8Array][]) {
  const checked = (values: number[], rows = item.tokens) => {
    const info = { modelPath: 'm', domain: 'd', dim, type, patchesPerRow: 4 }
    return checkEmbeddings(embeddings(bytesOf(values.slice(0, rows * dim)), dim, type, item.grid), item, info)
  }
  const values = Array.from({ length: item.tokens * dim }, (_, i) => (i % 2 === 0 ? -60_000 : 6e-5) * ((i % 7) / 7))

  test(`${type}: rows that fit the prompt pass, large and small numbers in them`, () => {
    expect(checked(values).rows).toBe(item.tokens)
  })

  test(`${type}: one row too few is told`, () => {
    expect(() => checked(values, item.tokens - 1)).toThrow(`${item.tokens - 1} rows for ${item.tokens} placeholders`)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(`${type}: %p in the first or the last row is told`, (bad) => {
    for (const at of [3, values.length - 1]) expect(() => checked(values.with(at, bad))).toThrow('hold no numbers')
  })
}
