// Ids to text: pushing ids one by one gives, for any ids, what the native library gives for all of them at once.
import { describe, expect, test } from 'bun:test'
import { uniform } from '../../../models/random.ts'
import { type HfTokenizer, makeTokenizer, readableIds } from '../../../src/tokenizer/hf.ts'
import { nativeTokenizer } from '../../../src/tokenizer/native.ts'
import { decoderTokenizers, fixtureJson } from '../fixtures.ts'
import { randomText } from '../random-text.ts'

function streamed(tokenizer: HfTokenizer, ids: readonly number[], skipSpecial: boolean, tail?: readonly number[]): string {
  const decoder = tokenizer.stream(skipSpecial, tail)
  return ids.map((id) => decoder.push(id)).join('') + decoder.end()
}

for (const [name, { json, decoder }] of Object.entries(decoderTokenizers)) {
  describe(name, () => {
    test('is decoded by the expected side', async () => {
      expect((await makeTokenizer(json)).decoder).toBe(decoder)
    })

    test('random ids, broken characters and specials among them', async () => {
      const [ours, native] = [await makeTokenizer(json), await nativeTokenizer(json)]
      const next = uniform(5)
      for (let i = 0; i < 400; i++) {
        // Half of the runs stay among the byte tokens, where characters break.
        const range = i % 2 === 0 ? 259 : ours.vocabSize + 3
        const ids = Array.from({ length: 1 + (i % 30) }, () => Math.floor(next() * range))
        for (const skip of [true, false]) {
          const whole = await native.decode(ids, skip)
          expect({ ids, skip, text: ours.decode(ids, skip) }).toEqual({ ids, skip, text: whole })
          expect({ ids, skip, text: streamed(ours, ids, skip) }).toEqual({ ids, skip, text: whole })
        }
      }
    })

    test('ids of random texts', async () => {
      const [ours, native] = [await makeTokenizer(json), await nativeTokenizer(json)]
      const text = randomText(6)
      for (let i = 0; i < 200; i++) {
        const ids = [...(await ours.encode(text(30), i % 2 === 0))]
        expect(streamed(ours, ids, false)).toBe(await native.decode(ids, false))
      }
    })
  })
}

test('every text that was pushed is certain: it stays the beginning of what follows', async () => {
  const ours = await makeTokenizer(fixtureJson('tiny-llm'))
  const ids = await ours.encode('Grüße 日本 👩‍👩‍👧 end', false)
  const decoder = ours.stream(true)
  let text = ''
  for (const id of ids) text += decoder.push(id)
  expect(text).toBe('Grüße 日本 👩‍👩‍👧 end')
  expect(decoder.end()).toBe('')
})

test('an unfinished character is held back and ends as U+FFFD', async () => {
  const ours = await makeTokenizer(fixtureJson('tiny-llm'))
  const [first, second] = await ours.encode('é', false)
  const decoder = ours.stream(true)
  expect(decoder.push(first!)).toBe('')
  expect(decoder.end()).toBe('\ufffd')
  expect(ours.decode([first!, second!], true)).toBe('é')
})

test('a sentencepiece answer keeps its first space after a prompt, and loses it alone', async () => {
  const ours = await makeTokenizer(fixtureJson('tiny-sp'))
  const prompt = [...(await ours.encode('Once upon', true))]
  const ids = [...(await ours.encode('a time', false))]
  expect(streamed(ours, ids, true)).toBe('a time')
  expect(streamed(ours, ids, true, prompt)).toBe(' a time')
  expect(streamed(ours, ids, true, [1])).toBe('a time') // <s> alone shows nothing
})

test('one token alone: its exact bytes', async () => {
  const ours = await makeTokenizer(fixtureJson('tiny-llm'))
  const [first, second] = await ours.encode('é', false)
  expect(ours.token(first!)).toEqual({ text: '\ufffd', bytes: Uint8Array.of(0xc3) })
  expect(ours.token(second!)).toEqual({ text: '\ufffd', bytes: Uint8Array.of(0xa9) })
  expect(ours.token(ours.tokenToId('<|im_end|>')!).text).toBe('<|im_end|>')
  const sp = await makeTokenizer(fixtureJson('tiny-sp'))
  expect(sp.token(sp.tokenToId('<0xC3>')!)).toEqual({ text: '\ufffd', bytes: Uint8Array.of(0xc3) })
})

test('readable ids decode to whole printable text, none is special', async () => {
  for (const model of ['tiny-llm', 'tiny-sp']) {
    const ours = await makeTokenizer(fixtureJson(model))
    const ids = readableIds(ours)
    expect(ids.length).toBeGreaterThan(400)
    for (const id of ids) {
      expect(ours.decode([id], true)).not.toContain('\ufffd')
      expect(ours.specialIds.has(id)).toBe(false)
    }
  }
})
