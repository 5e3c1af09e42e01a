import { expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { padPictures } from '../../src/lib/media-pads.ts'
import { checkMedia, type Sight, seePictures } from '../../src/pipeline/pictures.ts'
import type { MediaPart } from '../../src/pipeline/types.ts'

const placeholder = 500
/** One row for each 10 pixels of width; the picture is what its address says. */
const sight: Sight = {
  padScheme: 'wide',
  model: {
    family: 'test',
    imageTokenId: placeholder,
    settings: 'test',
    plan: (width) => ({ resized: [10, width], grid: [1, 1, width / 10], tokens: width / 10 }),
    expand: ({ tokens }) => Array(tokens).fill(placeholder),
    preprocess: () => Promise.reject(new Error('not asked')),
  },
  async read({ url, param }) {
    if (url === 'broken') throw new AppError('invalid_image', { message: `The image at ${param} is broken.`, param })
    return { file: Uint8Array.of(1), contentType: 'image/png', width: Number(url), height: 10, hash: url.padEnd(64, 'a') }
  },
}
const part = (url: string, i = 0): MediaPart => ({ kind: 'image', url, param: `messages[0].content[${i}].image_url.url` })
const { signal } = new AbortController()

test('each placeholder becomes the rows of its picture, in order', async () => {
  const seen = await seePictures(Uint32Array.of(1, placeholder, 2, placeholder, 3), [part('20'), part('30', 1)], sight, signal)
  expect([...seen.promptIds]).toEqual([1, 500, 500, 2, 500, 500, 500, 3])
  expect(seen.media.map(({ offset, tokens, width }) => [offset, tokens, width])).toEqual([
    [1, 2, 20],
    [4, 3, 30],
  ])
  expect([...seen.routeIds]).toEqual([...padPictures(seen.promptIds, seen.media, 'wide')])
  expect(seen.routeIds[1]).not.toBe(seen.routeIds[4])
})

test('another picture of the same size gives other route ids', async () => {
  const other: Sight = { ...sight, read: async (one, end) => ({ ...(await sight.read(one, end)), hash: 'b'.repeat(64) }) }
  const ids = Uint32Array.of(1, placeholder, 2)
  const [a, b] = [await seePictures(ids, [part('20')], sight, signal), await seePictures(ids, [part('20')], other, signal)]
  expect([...a.promptIds]).toEqual([...b.promptIds])
  expect([...a.routeIds]).not.toEqual([...b.routeIds])
})

test('a broken picture is told by its place, and the others are not waited for', async () => {
  let ended = false
  const waits: Sight = {
    ...sight,
    read: (one, end) =>
      one.url === 'slow'
        ? new Promise((_, reject) =>
            end.addEventListener('abort', () => {
              ended = true
              reject(end.reason)
            }),
          )
        : sight.read(one, end),
  }
  const failing = seePictures(Uint32Array.of(placeholder, placeholder), [part('slow'), part('broken', 1)], waits, signal)
  expect(await failing.catch((error: AppError) => [error.code, error.param])).toEqual([
    'invalid_image',
    'messages[0].content[1].image_url.url',
  ])
  expect(ended).toBe(true)
})

test('a text that contains the picture token cannot shift the pictures', async () => {
  const failing = seePictures(Uint32Array.of(placeholder, placeholder), [part('20')], sight, signal)
  expect(await failing.catch((error: AppError) => error.message)).toContain('2 places for 1 pictures')
})

test('a text model, or a kind that the model does not take, is refused by the part', () => {
  const refusal = (media: MediaPart[], given: Sight | undefined) => {
    try {
      return checkMedia(media, given, 'm')
    } catch (error) {
      return error as AppError
    }
  }
  expect(refusal([part('20')], sight)).toBe(sight)
  expect(refusal([part('20', 3)], undefined)).toMatchObject({ code: 'unsupported_parameter', param: 'messages[0].content[3]' })
  const sound: MediaPart = { kind: 'audio', url: 'x', param: 'messages[0].content[1].audio_url.url' }
  expect(refusal([part('20'), sound], sight)).toMatchObject({ code: 'unsupported_parameter', param: 'messages[0].content[1]' })
})
