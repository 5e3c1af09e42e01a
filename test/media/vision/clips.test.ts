// Clips against SGLang's and the processors' own code (make_clips.py): which frames, which sizes, which numbers.
import { describe, expect, test } from 'bun:test'
import { clipSizes, groupSeconds, sampleFrames, wholeClipSize } from '../../../src/media/vision/clips.ts'
import clips from '../../fixtures/vision/clips.json'
import { presetModel, sha256 } from './vectors.ts'

const qwen2 = { factor: 28, temporal: 2, minPixels: 3136, maxPixels: 12_845_056, wholeClip: false }
const qwen3 = { factor: 32, temporal: 2, minPixels: 4096, maxPixels: 25_165_824, wholeClip: true }

/** The frames of make_clips.py. */
function frame(t: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(3 * width * height)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++, i++) out[i] = 7 * x + 13 * y + 29 * c + 31 * t + x * y
  }
  return out
}

describe.each(clips.map((clip) => [`${clip.total} frames of ${clip.size.join('x')} at ${clip.fps}`, clip] as const))('%s', (_, clip) => {
  const [width, height] = clip.size as [number, number]
  const positions = sampleFrames(clip.total, clip.fps, 'clip')

  test('frames, times and the first size', () => {
    expect(positions).toEqual(clip.positions)
    expect(groupSeconds(positions, clip.fps, 2)).toEqual(clip.seconds)
    const [first] = clipSizes(positions.length, { width, height }, qwen2, 'clip')
    expect([first.height, first.width]).toEqual(clip.first)
  })

  for (const [name, made] of Object.entries(clip.out)) {
    test(`${name}: grid and numbers`, async () => {
      const model = presetModel(name as 'qwen2vl' | 'qwen3vl').clips!
      const frames = positions.map((t) => frame(t, width, height))
      const { values, grid, tokens, shape, release } = await model.preprocess(frames, width, height, 'tv_u8')
      expect([...grid]).toEqual(made.grid)
      expect(model.plan(positions.length, width, height, 'clip')).toMatchObject({ grid, tokens })
      expect(shape[0]! * shape[1]!).toBe(values.length)
      expect(sha256(values)).toBe(made.sha256)
      release?.()
    })
  }
})

test("Qwen3's prompt shows times, Qwen2's does not", () => {
  expect(presetModel('qwen3vl').clips!.seconds([0, 10, 20], 10)).toEqual([0.5, 2])
  expect(presetModel('qwen2vl').clips!.seconds([0, 10, 20], 10)).toBeUndefined()
  expect(presetModel('llava').clips).toBeUndefined()
})

test('five frames near the limit: two ways to count them, two sizes', () => {
  const size = { height: 1120, width: 3760 }
  expect(wholeClipSize(5, size, qwen3)).toEqual({ height: 1120, width: 3776 })
  expect(wholeClipSize(5, size, qwen3, 'up')).toEqual({ height: 1216, width: 4096 })
})

test('one frame is no clip', () => {
  expect(() => sampleFrames(1, 30, 'messages[0].content[1]')).toThrow(
    'The clip at messages[0].content[1] has 1 frame; 2 is the fewest that the model reads.',
  )
})
