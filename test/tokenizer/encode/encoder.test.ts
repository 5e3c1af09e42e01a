// Our encoder against the native one: the same ids for every text, every family, cold and cached.
import { describe, expect, test } from 'bun:test'
import { corpus } from '../../../models/corpus.ts'
import { uniform } from '../../../models/random.ts'
import { type HfTokenizer, makeTokenizer } from '../../../src/tokenizer/hf.ts'
import { type NativeTokenizer, nativeTokenizer } from '../../../src/tokenizer/native.ts'
import { nativeTokenizers, ownTokenizers } from '../fixtures.ts'
import { randomText } from '../random-text.ts'

async function expectSame(ours: HfTokenizer, native: NativeTokenizer, text: string, addSpecial: boolean): Promise<void> {
  const wanted = await native.encode(text.toWellFormed(), addSpecial)
  const found = await ours.encode(text, addSpecial)
  if (
    Buffer.from(found.buffer, found.byteOffset, found.byteLength).equals(Buffer.from(wanted.buffer, wanted.byteOffset, wanted.byteLength))
  )
    return
  expect({ text, ids: [...found] }).toEqual({ text, ids: [...wanted] })
}

const rounds = Number(process.env.FUZZ_ROUNDS ?? 300)

for (const [name, json] of Object.entries({ ...ownTokenizers, ...nativeTokenizers })) {
  describe(name, () => {
    const own = name in ownTokenizers
    test('is encoded by the expected side', async () => {
      expect((await makeTokenizer(json)).encoder).toBe(own ? 'own' : 'native')
    })

    test('random short texts', async () => {
      const [ours, native] = [await makeTokenizer(json), await nativeTokenizer(json)]
      const text = randomText(1)
      for (let i = 0; i < rounds; i++) await expectSame(ours, native, text(1 + (i % 12)), i % 2 === 0)
    })

    test('random long texts with a shared beginning, through small caches', async () => {
      const [ours, native] = [await makeTokenizer(json, { pieceCacheBytes: 20_000, wordCacheBytes: 5_000 }), await nativeTokenizer(json)]
      const text = randomText(2)
      const shared = [text(400), corpus.slice(0, 3000), text(100)]
      for (let i = 0; i < rounds / 10; i++) await expectSame(ours, native, shared.slice(0, 1 + (i % 3)).join(text(2)) + text(40), false)
    })

    test('runs without a border', async () => {
      const [ours, native] = [await makeTokenizer(json), await nativeTokenizer(json)]
      for (const part of ['a', 'ab', ' ', '\n', 'é', '日', '😀', '1', '!', ' the', '\u0301', "'s"])
        for (const count of [47, 48, 49, 200, 3000, 9001]) await expectSame(ours, native, part.repeat(count), false)
    })
  })
}

test("a text that was seen is answered at once, and the answer is the caller's own", async () => {
  const ours = await makeTokenizer(ownTokenizers['tiny-llm']!)
  const text = corpus.repeat(20)
  const first = await ours.encode(text, false)
  let again = ours.encode(text, false)
  // A machine that stops us in the middle makes slices of it.
  for (let i = 0; i < 20 && again instanceof Promise; i++) {
    await again
    again = ours.encode(text, false)
  }
  expect(again).toBeInstanceOf(Uint32Array)
  expect(again).toEqual(first)
  first.fill(0)
  expect(await ours.encode(text, false)).toEqual(await again)
})

test('an endless word lets the event loop turn as well, and others are answered meanwhile', async () => {
  const json = ownTokenizers['tiny-llm']!
  const [ours, native] = [await makeTokenizer(json), await nativeTokenizer(json)]
  const random = uniform(8)
  const word = Array.from({ length: 300_000 }, () => 'abcdest'[Math.floor(random() * 7)]).join('')
  const short = await native.encode('a short story', false)
  const pending = ours.encode(word, false) as Promise<Uint32Array>
  let turns = 0
  let done = false
  void pending.then(() => {
    done = true
  })
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve))
    expect(await ours.encode('a short story', false)).toEqual(short)
    turns++
  }
  expect(turns).toBeGreaterThan(5)
  expect(await pending).toEqual(await native.encode(word, false))
})

test('a long unknown text lets the event loop turn', async () => {
  const ours = await makeTokenizer(ownTokenizers['tiny-llm']!)
  let turns = 0
  const random = randomText(3)
  const pending = ours.encode(Array.from({ length: 400 }, () => random(100)).join(' and '), false)
  expect(pending).toBeInstanceOf(Promise)
  let done = false
  void Promise.resolve(pending).then(() => {
    done = true
  })
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve))
    turns++
  }
  expect(turns).toBeGreaterThan(5)
})

test('two long texts at once do not mix', async () => {
  const json = ownTokenizers['tiny-llm']!
  const [ours, native] = [await makeTokenizer(json), await nativeTokenizer(json)]
  const random = randomText(4)
  const texts = Array.from({ length: 3 }, () => random(20_000))
  const found = await Promise.all(texts.map((text) => ours.encode(text, false)))
  for (const [i, text] of texts.entries()) expect(found[i]).toEqual(await native.encode(text.toWellFormed(), false))
})

test('addSpecial adds what the post-processor adds', async () => {
  const ours = await makeTokenizer(ownTokenizers['tiny-sp']!)
  const [plain, special] = [await ours.encode('a story', false), await ours.encode('a story', true)]
  expect([...special]).toEqual([1, ...plain])
})
