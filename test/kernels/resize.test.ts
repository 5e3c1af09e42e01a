import { describe, expect, test } from 'bun:test'
import { resizeAcross, resizeDown } from '../../kernels/resize/cpu.ts'
import { resize, resizeCall } from '../../kernels/resize/kernel.ts'
import { resizePlain } from '../../kernels/resize/reference.ts'
import { type ResizeFilter, tapsOf } from '../../kernels/resize/taps.ts'
import pillow from '../fixtures/kernels/resize.json'
import { embeddings, embedWat } from '../helpers/build-wat.ts'
import { random } from '../helpers/random.ts'
import { kernelSuite } from '../suites/kernel.suite.ts'

const sizes = [
  [1, 1, 1, 1],
  [1, 1, 7, 5],
  [7, 5, 1, 1],
  [13, 11, 26, 22],
  [17, 3, 5, 64],
  [65, 2, 64, 3],
  [61, 47, 23, 129],
] as const // prettier-ignore

kernelSuite(
  (['bilinear', 'bicubic', 'lanczos'] as ResizeFilter[]).flatMap((filter) =>
    sizes.map(([width, height, newWidth, newHeight]) => {
      const next = random(width * 1000 + newWidth)
      // Black and white noise: sums that must be cut.
      const rgb = Uint8Array.from({ length: 3 * width * height }, () => (next(3) === 0 ? next(256) : 255 * next(2)))
      const from = { width, height }
      const to = { width: newWidth, height: newHeight }
      return {
        name: `${filter} ${width}x${height} to ${newWidth}x${newHeight}`,
        call: () => resizeCall(rgb, from, to, filter),
        plain: () => resizePlain(rgb, from, to, filter),
      }
    }),
  ),
)

test('the embedded bytes are what the source says', async () => {
  expect(await Bun.file(embeddings.resize.ts).text()).toBe(await embedWat(embeddings.resize))
})

test('without WebAssembly: typed arrays alone give the same', () => {
  const next = random(3)
  const rgb = Uint8Array.from({ length: 3 * 37 * 21 }, () => 255 * next(2))
  const wide = new Uint8ClampedArray(3 * 50 * 21)
  const out = new Uint8ClampedArray(3 * 50 * 10)
  resizeAcross(rgb, 37, tapsOf(37, 50, 'lanczos'), wide, 50, 0, 21)
  resizeDown(wide, 150, 21, tapsOf(21, 10, 'lanczos'), out, 0, 10)
  expect([...out]).toEqual([...resizePlain(rgb, { width: 37, height: 21 }, { width: 50, height: 10 }, 'lanczos')])
})

describe('equal to Pillow (test/fixtures/kernels/make-resize.py)', () => {
  test.each(pillow.cases.map((one) => [`${one.filter} to ${one.width}x${one.height}`, one] as const))('%s', async (_, one) => {
    const out = await resize(Uint8Array.fromBase64(pillow.rgb), pillow, one, one.filter as ResizeFilter)
    expect(out).toEqual(Uint8Array.fromBase64(one.rgb))
  })
})

test('the same size is the same picture', async () => {
  const rgb = Uint8Array.from({ length: 3 * 5 * 4 }, (_, i) => (i * 37) % 256)
  for (const filter of ['bilinear', 'bicubic', 'lanczos'] as const)
    expect(await resize(rgb, { width: 5, height: 4 }, { width: 5, height: 4 }, filter)).toEqual(rgb)
})

test('sizes that make no picture are refused', async () => {
  const one = { width: 1, height: 1 }
  expect(resize(new Uint8Array(3), one, { width: 0, height: 1 })).rejects.toThrow('a picture cannot be 0 wide or high')
  expect(resize(new Uint8Array(4), one, one)).rejects.toThrow('rgb has 4 bytes, 1x1 needs 3')
})
