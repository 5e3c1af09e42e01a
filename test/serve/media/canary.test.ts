// What a health check asks of an engine of images or videos.
import { expect, test } from 'bun:test'
import type { MakerInfo } from '../../../src/pipeline/media/media.ts'
import { canaryRequest } from '../../../src/serve/media/canary.ts'

const defaults = { width: 1024, height: 1024, steps: 50, guidance: 3.5, frames: 1, fps: 16 }
const image: MakerInfo = { makes: 'image', defaults, takesImages: false, sizeMultiple: 16, frameMultiple: 1, replicas: 1 }
const video: MakerInfo = { ...image, makes: 'video', frameMultiple: 4 }

test('one small step, of a size that the model can make', () => {
  expect(canaryRequest(image, 'h')).toMatchObject({ kind: 'image', width: 256, height: 256, steps: 1, outputs: 1 })
  expect(canaryRequest({ ...image, sizeMultiple: 96 }, 'h').width).toBe(288)
  expect(canaryRequest(video, 'h')).toMatchObject({ kind: 'video', frames: 5, fps: 8, steps: 1 })
})

test('Dynamo’s payloads: steps at the top or in nvext, frames as many as the model can make', () => {
  const payload = { prompt: 'cat', size: '512x384', num_inference_steps: 2, guidance_scale: 7.5 }
  expect(canaryRequest(image, 'h', payload)).toMatchObject({ prompt: 'cat', width: 512, height: 384, steps: 2, guidance: 7.5 })
  const clip = { size: '128x128', nvext: { fps: 4, num_frames: 8, num_inference_steps: 3 } }
  expect(canaryRequest(video, 'h', clip)).toMatchObject({ frames: 5, fps: 4, steps: 3, width: 128 })
})
