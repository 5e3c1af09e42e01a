// What an attached SGLang server is told of a prompt with pictures.
import { expect, test } from 'bun:test'
import { generateBody } from '../../../../src/engine/sglang/http/body.ts'
import type { GenerateRequest } from '../../../../src/engine/types.ts'

const placed = { offset: 1, tokens: 3, placeholder: 9, single: 8 }
const picture = {
  kind: 'image',
  file: Uint8Array.of(1, 2),
  contentType: 'image/png',
  hash: 'a',
  width: 1,
  height: 1,
  grid: [1, 1, 3],
  ...placed,
} as const
const request: GenerateRequest = { requestId: 'r', promptIds: Uint32Array.of(1, 9, 9, 9, 2), sampling: {}, stream: true, media: [picture] }

test('ids with one for each picture, and the file', () => {
  expect(generateBody(request, 'r')).toMatchObject({ input_ids: [1, 8, 2], image_data: ['data:image/png;base64,AQI='] })
})

test('the text instead where the family has one: its processor takes no ids', () => {
  const body = generateBody({ ...request, mediaText: 'a <image>' }, 'r')
  expect([body.text, body.input_ids]).toEqual(['a <image>', undefined])
})

test('a sound as its file; two are refused, because the server would die of them', () => {
  const sound = { ...picture, kind: 'audio', contentType: 'audio/wav' } as const
  expect(generateBody({ ...request, media: [sound] }, 'r')).toMatchObject({
    input_ids: [1, 8, 2],
    audio_data: ['data:audio/wav;base64,AQI='],
  })
  expect(() => generateBody({ ...request, media: [sound, sound] }, 'r')).toThrow('takes one sound in a chat')
})
