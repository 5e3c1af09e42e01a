import { describe, expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { padPictures } from '../../src/lib/media-pads.ts'
import { checkMedia, checkNoPlaces, readMedia, type Sight } from '../../src/pipeline/media-parts.ts'
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
    return { file: Uint8Array.of(1), contentType: 'image/png', width: Number(url), height: 10, sent: 1, hash: url.padEnd(64, 'a') }
  },
}
const part = (url: string, i = 0): MediaPart => ({ kind: 'image', url, param: `messages[0].content[${i}].image_url.url` })
const { signal } = new AbortController()
/** A letter is a token. */
const encode = (text: string) => Uint32Array.from(text, (letter) => 1000 + letter.charCodeAt(0))

test('each placeholder becomes the rows of its picture, in order', async () => {
  const seen = await readMedia(Uint32Array.of(1, placeholder, 2, placeholder, 3), [part('20'), part('30', 1)], sight, encode, signal)
  expect([...seen.promptIds]).toEqual([1, 500, 500, 2, 500, 500, 500, 3])
  expect(seen.media.map(({ offset, tokens, width }) => [offset, tokens, width])).toEqual([
    [1, 2, 20],
    [4, 3, 30],
  ])
  expect([...seen.routeIds]).toEqual([...padPictures(seen.promptIds, seen.media, 'wide')])
  expect(seen.routeIds[1]).not.toBe(seen.routeIds[4])
})

test.each(['wide', undefined] as const)('another picture of the same size gives other route ids, padding known: %s', async (padScheme) => {
  const { padScheme: _, ...blind } = sight
  const seen: Sight = padScheme === undefined ? blind : sight
  const other: Sight = { ...seen, read: async (one, end) => ({ ...(await sight.read(one, end)), hash: 'b'.repeat(64) }) }
  const ids = Uint32Array.of(1, placeholder, 2)
  const [a, b] = [await readMedia(ids, [part('20')], seen, encode, signal), await readMedia(ids, [part('20')], other, encode, signal)]
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
  const failing = readMedia(Uint32Array.of(placeholder, placeholder), [part('slow'), part('broken', 1)], waits, encode, signal)
  expect(await failing.catch((error: AppError) => [error.code, error.param])).toEqual([
    'invalid_image',
    'messages[0].content[1].image_url.url',
  ])
  expect(ended).toBe(true)
})

test('a text that contains the picture token cannot shift the pictures', async () => {
  const failing = readMedia(Uint32Array.of(placeholder, placeholder), [part('20')], sight, encode, signal)
  expect(await failing.catch((error: AppError) => error.message)).toContain('2 places for 1 picture:')
})

const video = 600
/** A clip of three frames, two a group; the address is its width. */
const clips: Sight = {
  ...sight,
  clips: 'frames',
  model: {
    ...sight.model!,
    videoTokenId: video,
    clips: {
      sample: () => [0, 2, 4],
      shrink: () => Promise.reject(new Error('not asked')),
      plan: (frames, width) => ({
        resized: [10, width],
        grid: [Math.ceil(frames / 2), 1, width / 10],
        tokens: Math.ceil(frames / 2) * (width / 10),
      }),
      seconds: (positions, fps) => [(positions[0]! + positions[1]!) / 2 / fps, positions[2]! / fps],
      marks: [601, 602],
      preprocess: () => Promise.reject(new Error('not asked')),
    },
  },
  async read(one, end) {
    if (one.kind === 'image') return sight.read(one, end)
    const times = { total: 6, fps: 2, positions: [0, 2, 4], secondsPerFrame: 0.5, chosen: false }
    const frames = [1, 2, 3].map((value) => Uint8Array.of(value))
    return { ...times, frames, width: Number(one.url), height: 10, sent: 3, hash: 'c'.repeat(64) }
  },
}
const clip: MediaPart = { kind: 'video', url: '20', param: 'messages[0].content[2].video_url.url' }

test('a clip among pictures: its rows with their times, each kind by its own placeholder', async () => {
  const seen = await readMedia(Uint32Array.of(1, video, 2, placeholder, 3), [clip, part('20')], clips, encode, signal)
  const text = (seconds: string) => [...encode(`<${seconds} seconds>`)]
  expect([...seen.promptIds]).toEqual([1, ...text('0.5'), 601, 600, 600, 602, ...text('2.0'), 601, 600, 600, 602, 2, 500, 500, 3])
  const [first, second] = seen.media
  expect(first).toMatchObject({
    kind: 'video',
    offset: 1,
    tokens: seen.promptIds.length - 5,
    placeholder: video,
    single: video,
    grid: [2, 1, 2],
  })
  expect(first).toMatchObject({ secondsPerFrame: 0.5, clip: { frames: 6, fps: 2, positions: [0, 2, 4], seconds: [0.5, 2], chosen: false } })
  expect(first!.frames).toHaveLength(3)
  expect(second).toMatchObject({ kind: 'image', tokens: 2, placeholder, offset: seen.promptIds.length - 3 })
  // Its rows alone are padded: their turn begins again after each time.
  const at = seen.promptIds.indexOf(video)
  expect(seen.routeIds[at]).not.toBe(video)
  expect(seen.routeIds[seen.promptIds.lastIndexOf(video) - 1]).toBe(seen.routeIds[at]!)
  expect(seen.routeIds[at - 1]).toBe(601)
})

test('pictures and clips in another order than the messages are refused', async () => {
  const failing = readMedia(Uint32Array.of(placeholder, video), [clip, part('20')], clips, encode, signal)
  expect(await failing.catch((error: AppError) => error.message)).toContain('in another order than the messages')
})

test('an engine or a model without clips refuses them by the part', () => {
  for (const given of [sight, { ...clips, model: sight.model! }, { ...sight, model: clips.model! }])
    expect(() => checkMedia([clip], given, 'm')).toThrow('m takes no clips here; send pictures as image_url parts.')
  expect(checkMedia([clip, part('20')], clips, 'm')).toBe(clips)
  const sound: MediaPart = { kind: 'audio', url: 'x', param: 'messages[0].content[1].audio_url.url' }
  expect(() => checkMedia([sound], clips, 'm')).toThrow('send pictures as image_url parts and clips as video_url parts.')
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

test('a text without pictures that contains a token of one is refused, of clips too', () => {
  const refusal = { code: 'invalid_value', param: 'messages' }
  for (const id of [placeholder, video]) {
    const check = () => checkNoPlaces(Uint32Array.of(1, id, 2), clips, 'messages')
    expect(check).toThrow(expect.objectContaining(refusal))
    expect(check).toThrow("The prompt has one of the model's own tokens for a picture, a clip or a sound")
  }
  checkNoPlaces(Uint32Array.of(1, 2), clips, 'messages')
})

test("a prompt that ends in the model's mark for where a picture begins is refused before anything is read; elsewhere it may stand", async () => {
  const marked: Sight = { ...sight, model: { ...sight.model!, startTokenId: 499 } }
  const ending = readMedia(Uint32Array.of(499, placeholder, 499), [part('broken')], marked, encode, signal)
  await expect(ending).rejects.toMatchObject({ code: 'invalid_value', param: 'messages', message: expect.stringContaining('ends in') })
  const inside = await readMedia(Uint32Array.of(499, placeholder, 499, 1), [part('20')], marked, encode, signal)
  expect([...inside.promptIds]).toEqual([499, 500, 500, 499, 1])
})

test('an address that stands there more than once is read once, for each wish', async () => {
  const asked: string[] = []
  const counted: Sight = {
    ...sight,
    read(one, end) {
      asked.push(`${one.url} ${one.detail}`)
      return sight.read(one, end)
    },
  }
  const low: MediaPart = { ...part('20', 21), detail: 'low' }
  const media = [...Array.from({ length: 20 }, (_, i) => part('20', i)), part('30', 20), low]
  const seen = await readMedia(new Uint32Array(22).fill(placeholder), media, counted, encode, signal)
  expect(asked.sort()).toEqual(['20 low', '20 undefined', '30 undefined'])
  expect(seen.media.map(({ width }) => width)).toEqual([...Array(20).fill(20), 30, 20])
  expect(seen.promptIds).toHaveLength(21 * 2 + 3)
})

describe('many pictures', () => {
  const ids = (count: number) => new Uint32Array(count).fill(placeholder)
  /** All of one size, each with an address of its own. */
  const parts = (count: number) => Array.from({ length: count }, (_, i) => part(`20.${'0'.repeat(i)}`, i))

  test('are read a few at a time, and stay in order', async () => {
    let [reading, most] = [0, 0]
    const counted: Sight = {
      ...sight,
      async read(one, end) {
        most = Math.max(most, ++reading)
        await Bun.sleep(Math.random() * 4)
        reading--
        return sight.read(one, end)
      },
    }
    const sizes = Array.from({ length: 40 }, (_, i) => 10 * (i + 1))
    const media = sizes.map((size, i) => part(String(size), i))
    const seen = await readMedia(ids(40), media, counted, encode, signal)
    expect(seen.media.map(({ width }) => width)).toEqual(sizes)
    expect(most).toBe(8)
  })

  test('that no longer fit are not read', async () => {
    let read = 0
    const counted: Sight = {
      ...sight,
      read(one, end) {
        read++
        return sight.read(one, end)
      },
    }
    const checkLength = (tokens: number) => {
      if (tokens > 130) throw new AppError('context_length_exceeded', { message: 'too long' })
    }
    await expect(readMedia(ids(100), parts(100), counted, encode, signal, checkLength)).rejects.toThrow('too long')
    expect(read).toBeLessThan(50)
    await expect(readMedia(ids(200), parts(200), counted, encode, signal, checkLength)).rejects.toThrow('too long')
    expect(read).toBeLessThan(50)
  })

  test('together have a size that ends the reading', async () => {
    const file = new Uint8Array(30_000_000)
    const large: Sight = { ...sight, read: async (one, end) => ({ ...(await sight.read(one, end)), file, sent: file.length }) }
    await expect(readMedia(ids(9), parts(9), large, encode, signal)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining('more than 200 MB together'),
    })
  })

  test('are counted as they were sent, and what is made of them by a bound of its own', async () => {
    const file = new Uint8Array(50_000_000)
    const grown: Sight = {
      ...sight,
      read: async (one, end) => ({ ...(await sight.read(one, end)), file, sent: 1000, hash: 'a'.repeat(64) }),
    }
    expect((await readMedia(ids(9), parts(9), grown, encode, signal)).media).toHaveLength(9)
    await expect(readMedia(ids(13), parts(13), grown, encode, signal)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining('is more than 600 MB, decoded and packed for the engine'),
    })
  })

  test('a clip that does not fit is left when its rows are known; one that fits is counted once', async () => {
    let readToEnd = false
    const planned: Sight = {
      ...clips,
      async read(one, end, onTokens) {
        onTokens?.(4)
        readToEnd = true
        return clips.read(one, end)
      },
    }
    const see = (most: number) =>
      readMedia(Uint32Array.of(1, video), [clip], planned, encode, signal, (tokens) => {
        if (tokens > most) throw new AppError('context_length_exceeded', { message: `${tokens} tokens` })
      })
    await expect(see(4)).rejects.toThrow('5 tokens')
    expect(readToEnd).toBe(false)
    const { length } = (await see(100)).promptIds
    await expect(see(length - 1)).rejects.toThrow(`${length} tokens`)
    expect((await see(length)).promptIds).toHaveLength(length)
  })

  test('have a number, which is said before any is read', () => {
    expect(checkMedia(parts(1500), sight, 'm')).toBe(sight)
    expect(() => checkMedia(parts(1501), sight, 'm')).toThrow('has 1501 pictures, clips and sounds; 1500 are the most')
  })
})

test('media know the part that they came by, also where two parts have the same file', async () => {
  const { media } = await readMedia(
    Uint32Array.of(1, placeholder, 2, placeholder, 3),
    [part('20', 1), part('20', 3)],
    sight,
    encode,
    signal,
  )
  expect(media.map(({ param }) => param)).toEqual(['messages[0].content[1].image_url.url', 'messages[0].content[3].image_url.url'])
})
