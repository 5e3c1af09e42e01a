// Parts of messages to pictures, clips and sounds: every form that clients write.
import { expect, test } from 'bun:test'
import { mediaOf } from '../../../src/openai/request/media.ts'

const one = (part: Record<string, unknown>, sampling = {}) =>
  mediaOf([{ role: 'user', content: [{ type: 'text', text: 'a' }, part] }], sampling)![0]!
const at = 'messages[0].content[1]'

test('texts alone have none', () => {
  expect(
    mediaOf([
      { role: 'user', content: 'a' },
      { role: 'user', content: [{ type: 'text', text: 'a' }] },
    ]),
  ).toBeUndefined()
})

test('pictures, clips and sounds in the order of the messages', () => {
  const content = [
    { type: 'video_url', video_url: { url: 'v' } },
    { type: 'image_url', image_url: { url: 'p', detail: 'low' } },
    { type: 'audio_url', audio_url: 's' },
  ]
  expect(mediaOf([{ role: 'user', content }])).toEqual([
    { kind: 'video', url: 'v', param: 'messages[0].content[0].video_url.url' },
    { kind: 'image', url: 'p', detail: 'low', param: 'messages[0].content[1].image_url.url' },
    { kind: 'audio', url: 's', param: 'messages[0].content[2].audio_url' },
  ])
})

test("Qwen's form: an address, or frames", () => {
  expect(one({ type: 'video', video: 'v' })).toEqual({ kind: 'video', url: 'v', param: `${at}.video` })
  const frames = [
    { url: 'a', param: `${at}.video[0]` },
    { url: 'b', param: `${at}.video[1]` },
  ]
  expect(one({ type: 'video', video: ['a', 'b'], fps: 4 })).toEqual({
    kind: 'video',
    url: '',
    frames,
    param: `${at}.video`,
    sampling: { fps: 4 },
  })
  expect(() => one({ type: 'video', video: ['a'], num_frames: 4 })).toThrow('a clip that comes as its frames is looked at whole')
})

test('which frames are looked at: of the address, else of the part, else of the request', () => {
  const sampling = { num_frames: 8 }
  const wishes = (part: Record<string, unknown>) => one({ type: 'video_url', video_url: 'v', ...part }, sampling).sampling
  expect(wishes({})).toEqual({ frames: 8 })
  expect(wishes({ nframes: 6 })).toEqual({ frames: 6 })
  expect(wishes({ video_url: { url: 'v', fps: 1, max_frames: 32 }, nframes: 6 })).toEqual({ fps: 1, maxFrames: 32 })
  expect(wishes({ min_frames: 2, fps: null })).toEqual({ minFrames: 2 })
  expect(() => wishes({ fps: 1, num_frames: 4 })).toThrow("'fps' and 'num_frames' contradict each other")
})
