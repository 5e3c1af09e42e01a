// Pictures know the part of the request that they came by: encoders elsewhere find faults that only its client can mend.
import { expect, test } from 'bun:test'
import type { Picture } from '../../src/media/vision/picture.ts'
import { type Sight, seePictures } from '../../src/pipeline/pictures.ts'

const placeholder = 500
const picture = { file: Uint8Array.of(1), contentType: 'image/png', width: 20, height: 10, sent: 1, hash: 'a'.repeat(64) } as Picture
const sight: Sight = {
  model: {
    family: 'test',
    imageTokenId: placeholder,
    settings: 'test',
    plan: (width) => ({ resized: [10, width], grid: [1, 1, width / 10], tokens: width / 10 }),
    expand: ({ tokens }) => Array(tokens).fill(placeholder),
    preprocess: () => Promise.reject(new Error('not asked')),
  },
  read: async () => picture,
}

test('also where two parts have the same picture', async () => {
  const parts = [1, 3].map((i) => ({ kind: 'image', url: 'same', param: `messages[0].content[${i}].image_url.url` }) as const)
  const ids = Uint32Array.of(1, placeholder, 2, placeholder, 3)
  const { media } = await seePictures(ids, parts, sight, () => new Uint32Array(), new AbortController().signal)
  expect(media.map(({ param }) => param)).toEqual(['messages[0].content[1].image_url.url', 'messages[0].content[3].image_url.url'])
})
