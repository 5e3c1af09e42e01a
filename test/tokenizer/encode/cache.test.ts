// The cache stays within its bytes and keeps what is used.
import { expect, test } from 'bun:test'
import { generationCache } from '../../../src/tokenizer/encode/cache.ts'

test('what is used again survives, what is not goes, and the bound holds', () => {
  const cache = generationCache<number>(1000)
  cache.set('kept', 1, 10)
  for (let i = 0; i < 1000; i++) {
    cache.set(`other ${i}`, i, 10)
    expect(cache.get('kept')).toBe(1)
    expect(cache.bytes).toBeLessThanOrEqual(1000)
  }
  expect(cache.get('other 0')).toBeUndefined()
  expect(cache.get('other 999')).toBe(999)
})
