import { expect, test } from 'bun:test'
import { resizeVision, resizeVisionCall } from '../../kernels/resize-bicubic/kernel.ts'
import { resizeVisionPlain } from '../../kernels/resize-bicubic/reference.ts'
import { type ResizeBackend, tapsOf, type VisionFilter } from '../../kernels/resize-bicubic/taps.ts'
import { embeddings, embedWat } from '../helpers/build-wat.ts'
import { random } from '../helpers/random.ts'
import { kernelSuite } from '../suites/kernel.suite.ts'

const sizes = [
  [1, 1, 7, 5],
  [7, 5, 1, 1],
  [1, 60, 28, 56],
  [13, 11, 26, 22],
  [17, 3, 5, 64],
  [61, 47, 23, 129],
  // Some new rows lie on a source row, whose neighbours then have no weight: the next row begins before them again.
  [9, 30, 15, 50],
  // A little smaller: five taps, nearly all rows four.
  [60, 120, 59, 119],
  // One side only, and rows that are no multiple of 16 bytes.
  [31, 20, 31, 9],
  [31, 20, 70, 20],
  // Pillow takes the height first here.
  [23, 190, 28, 28],
  [40, 333, 21, 14],
] as const // prettier-ignore

/** Black and white noise: sums that must be cut. */
function noise(width: number, height: number): Uint8Array {
  const next = random(width * 1000 + height)
  return Uint8Array.from({ length: 3 * width * height }, () => (next(3) === 0 ? next(256) : 255 * next(2)))
}

const casesOf = (backend: ResizeBackend) =>
  (['bilinear', 'bicubic'] as VisionFilter[]).flatMap((filter) =>
    sizes.map(([width, height, newWidth, newHeight]) => {
      const rgb = noise(width, height)
      const [from, to] = [
        { width, height },
        { width: newWidth, height: newHeight },
      ] as const
      return {
        name: `${backend} ${filter} ${width}x${height} to ${newWidth}x${newHeight}`,
        call: () => resizeVisionCall(rgb, from, to, filter, backend)!,
        plain: () => resizeVisionPlain(rgb, from, to, filter, backend),
      }
    }),
  )

kernelSuite([...casesOf('pil'), ...casesOf('tv_u8')])
kernelSuite(casesOf('tv_f32'), 1)

test('tall pictures whose columns are taken in strips: the same', () => {
  const from = { width: 1400, height: 1100 }
  const rgb = noise(from.width, from.height)
  for (const [backend, to] of [
    ['pil', { width: 1000, height: 2 }],
    ['tv_u8', { width: 1400, height: 2 }],
  ] as const) {
    const { cpu } = resizeVisionCall(rgb, from, to, 'bicubic', backend)!
    cpu.step(0, cpu.units)
    expect(Buffer.compare(cpu.result(), resizeVisionPlain(rgb, from, to, 'bicubic', backend))).toBe(0)
  }
}, 20_000)

test('the embedded bytes are what the source says', async () => {
  expect(await Bun.file(embeddings.resizeBicubic.ts).text()).toBe(await embedWat(embeddings.resizeBicubic))
})

test('torchvision takes as many bits as 16 hold: fewer where one weight is nearly all', () => {
  expect(tapsOf(100, 200, 'bicubic', 'tv_u8').bits).toBe(14)
  expect(tapsOf(800, 100, 'bicubic', 'tv_u8').bits).toBe(17)
  expect(tapsOf(100, 200, 'bicubic', 'pil').bits).toBe(22)
})

test('the same size is the same picture; sizes that make none are refused', async () => {
  const one = { width: 2, height: 1 }
  const rgb = Uint8Array.of(1, 2, 3, 4, 5, 6)
  expect(await resizeVision(rgb, one, one, 'bicubic', 'pil')).toBe(rgb)
  expect(resizeVision(rgb, one, { width: 0, height: 1 }, 'bicubic', 'pil')).rejects.toThrow('a picture cannot be 0 wide or high')
  expect(resizeVision(rgb, { width: 1, height: 1 }, one, 'bicubic', 'pil')).rejects.toThrow('rgb has 6 bytes, 1x1 needs 3')
})
