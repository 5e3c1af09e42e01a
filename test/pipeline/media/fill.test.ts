import { expect, test } from 'bun:test'
import { mockDiffusion } from '../../../src/engine/mock/diffusion/engine.ts'
import { fillRequest, fitFrames, planPreviews } from '../../../src/pipeline/media/maker/fill.ts'
import type { MediaRequest } from '../../../src/pipeline/media/media.ts'

const image = mockDiffusion({ modelPath: 'models/tiny-FLUX.1-dev' }).info
const video = mockDiffusion({ modelPath: 'models/tiny-Wan2.1-T2V-1.3B' }).info

function request(kind: 'image' | 'video', more: Partial<MediaRequest> = {}): MediaRequest {
  return { requestId: 'r', kind, prompt: 'p', outputs: 1, images: [], format: { type: 'png' }, partials: 0, extra: {}, ...more }
}

test('what is open the model decides', () => {
  expect(fillRequest(request('image'), image, () => 0.5)).toEqual({
    requestId: 'r',
    prompt: 'p',
    ...{ width: 1024, height: 1024, steps: 50, guidance: 3.5, seed: 2 ** 30 - 512, outputs: 1, frames: 1, previewEvery: 0 },
  })
  expect(fillRequest(request('video'), video, () => 0)).toMatchObject({
    width: 832,
    height: 480,
    frames: 81,
    fps: 16,
    guidance: 3,
    seed: 0,
  })
})

test('what is said stays, zeros too', () => {
  const asked = { width: 64, height: 32, steps: 3, guidance: 0, seed: 0, negativePrompt: '', extra: { flow_shift: 2 } }
  expect(fillRequest(request('image', asked), image, () => 0.9)).toMatchObject(asked)
})

test('seconds times fps become a number of frames that the model makes; num_frames wins', () => {
  const frames = (more: Partial<MediaRequest>) => fillRequest(request('video', more), video, Math.random).frames
  expect(frames({ seconds: 4 })).toBe(65)
  expect(frames({ seconds: 4, fps: 24 })).toBe(97)
  expect(frames({ seconds: 1, fps: 8 })).toBe(9)
  expect(frames({ seconds: 4, frames: 17 })).toBe(17)
  expect([1, 2, 4, 5, 63, 64, 81].map((wanted) => fitFrames(wanted, 4))).toEqual([1, 1, 5, 5, 61, 65, 81])
  expect(fitFrames(7, 1)).toBe(7)
})

test('a number of frames that cannot be is refused with the nearest ones', () => {
  const fill = () => fillRequest(request('video', { frames: 16 }), video, Math.random)
  expect(fill).toThrow(/multiple of 4 plus one.*13 or 17, not 16/)
})

test('images are refused by models that take none, under the name of the route’s field', () => {
  const png = new Uint8Array(1)
  const refused = (kind: 'image' | 'video') => {
    try {
      fillRequest(request(kind, { images: [png] }), kind === 'image' ? image : video, Math.random)
    } catch (error) {
      return error
    }
  }
  expect(refused('image')).toMatchObject({ code: 'unsupported_parameter', param: 'image' })
  expect(refused('video')).toMatchObject({ code: 'unsupported_parameter', param: 'input_reference' })
})

test('a request id becomes what may be a file name', () => {
  expect(fillRequest(request('image', { requestId: 'a/../b c' }), image, Math.random).requestId).toBe('a____b_c')
})

test('previews are spread evenly and the picture itself is none', () => {
  const after = (partials: number, steps: number) => {
    const { every, count } = planPreviews(partials, steps)
    return Array.from({ length: count }, (_, i) => (i + 1) * every)
  }
  expect(after(3, 28)).toEqual([7, 14, 21])
  expect(after(3, 50)).toEqual([12, 24, 36])
  expect(after(1, 4)).toEqual([2])
  expect(after(3, 4)).toEqual([1, 2, 3])
  expect(after(3, 3)).toEqual([1, 2])
  expect(after(2, 1)).toEqual([])
  expect(after(0, 28)).toEqual([])
})
