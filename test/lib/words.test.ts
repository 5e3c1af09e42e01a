import { expect, test } from 'bun:test'
import { bytesOf, wordsOf } from '../../src/lib/words.ts'

test('words to bytes and back, from any place of any kind of buffer', () => {
  const words = Uint32Array.of(1, 2 ** 32 - 1, 3)
  const bytes = bytesOf(words)
  const inside = Buffer.alloc(64)
  inside.set(bytes, 5)
  expect(wordsOf(inside.subarray(5, 17))).toEqual(words)
  expect(wordsOf(bytes)).toEqual(words)
  expect(wordsOf(inside.subarray(9, 9))).toEqual(new Uint32Array(0))
})

test('the words are a copy, the bytes are not', () => {
  const words = Uint32Array.of(1)
  const copy = wordsOf(bytesOf(words))
  bytesOf(words)[0] = 9
  expect([words[0], copy[0]]).toEqual([9, 1])
})
