// Which frames are looked at, and what the prompt says of their times: as SGLang's own functions do it (make_sampling.py).
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { clipRun, timeTexts } from '../../../src/media/vision/clip-prompt.ts'
import { groupSeconds, sampleFrames } from '../../../src/media/vision/clips.ts'
import vectors from '../../fixtures/vision/sampling.json'

type Wishes = { nframes?: number; fps?: number; min_frames?: number; max_frames?: number }

const ours = ({ nframes, fps, min_frames, max_frames }: Wishes) => ({
  ...(nframes === undefined ? {} : { frames: nframes }),
  ...(fps === undefined ? {} : { fps }),
  ...(min_frames === undefined ? {} : { minFrames: min_frames }),
  ...(max_frames === undefined ? {} : { maxFrames: max_frames }),
})

function summary(total: number, fps: number, wishes: Wishes): number[] | null {
  try {
    const frames = sampleFrames(total, fps, 'clip', ours(wishes))
    const sum = (of: (i: number) => number) => frames.reduce((all, i) => all + of(i), 0)
    return frames.length <= 12 ? frames : [frames.length, sum((i) => i), sum((i) => i * i)]
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

test(`${vectors.sampling.length} clips and wishes: the frames that SGLang picks, or its refusal`, () => {
  const cases = vectors.sampling as [number, number, Wishes, number[] | null][]
  const wrong = cases.filter(([total, fps, wishes, wanted]) => !Bun.deepEquals(summary(total, fps, wishes), wanted))
  expect(wrong).toEqual([])
  expect(cases.filter(([, , , wanted]) => wanted === null).length).toBeGreaterThan(20)
})

test.each(vectors.times)('times of $positions at $fps frames a second', ({ positions, fps, seconds, ids }) => {
  const ours = groupSeconds(positions, fps, 2)
  expect(ours).toEqual(seconds)
  const letters = timeTexts(ours).map((text) => Array.from(text, (letter) => 1000 + letter.charCodeAt(0)))
  const plan = { resized: [0, 0], grid: [seconds.length, 2, 6], tokens: 3 * seconds.length } as const
  expect([7, 3, ...clipRun({ marks: [3, 4] }, plan, 2, letters), 4, 8]).toEqual(ids)
})

test('without times a clip is its rows', () => {
  expect(clipRun({}, { resized: [0, 0], grid: [2, 2, 4], tokens: 4 }, 9, undefined)).toEqual([9, 9, 9, 9])
})
