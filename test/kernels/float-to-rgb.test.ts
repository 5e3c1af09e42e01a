import { expect, test } from 'bun:test'
import { floatToRgb, floatToRgbCall } from '../../kernels/float-to-rgb/kernel.ts'
import { floatToRgbPlain, type SampleRange } from '../../kernels/float-to-rgb/reference.ts'
import { random } from '../helpers/random.ts'
import { kernelSuite } from '../suites/kernel.suite.ts'

const odd = [Number.NaN, Infinity, -Infinity, 1, -1, 0, -0, 0.5, 254.99999 / 255, 255.00001 / 255, 1e-40, 3e38]
const shapes = [
  [1, 1, 1],
  [1, 3, 1],
  [2, 5, 7],
  [3, 17, 1],
  [1, 64, 1],
  [1, 257, 1],
  [2, 61, 31],
] as const // prettier-ignore

kernelSuite(
  (['unit', 'signed'] as SampleRange[]).flatMap((range) =>
    shapes.map(([frames, width, height]) => {
      const next = random(frames * 10_000 + width * 100 + height)
      const planes = Float32Array.from({ length: 3 * frames * width * height }, (_, i) =>
        i % 13 === 5 ? odd[next(odd.length)]! : (next(1 << 24) / (1 << 24)) * 2.4 - 1.2,
      )
      return {
        name: `${frames} of ${width}x${height}, ${range}`,
        call: () => floatToRgbCall(planes, width, height, range),
        plain: () => floatToRgbPlain(planes, width, height, range),
      }
    }),
  ),
)

test('samples are cut off, not rounded', async () => {
  expect([...(await floatToRgb(Float32Array.of(0.999, 1, 0.5), 1, 1))]).toEqual([254, 255, 127])
  expect([...(await floatToRgb(Float32Array.of(-1, 0, 1), 1, 1, 'signed'))]).toEqual([0, 127, 255])
})

test('planes become pixels', async () => {
  const unit = (bytes: number[]) => Float32Array.from(bytes, (byte) => (byte + 0.5) / 255)
  expect([...(await floatToRgb(unit([1, 2, 11, 12, 21, 22, 31, 32, 41, 42, 51, 52]), 2, 1))]).toEqual([
    1, 11, 21, 2, 12, 22, 31, 41, 51, 32, 42, 52,
  ])
})

test('a clip that is larger than a part comes out whole, in order', async () => {
  const [width, height] = [1024, 1024]
  const frame = 3 * width * height
  const planes = new Float32Array(frame * 10)
  for (let i = 0; i < 10; i++) planes.fill((i + 0.5) / 255, i * frame, (i + 1) * frame)
  const out = await floatToRgb(planes, width, height)
  expect(out.length).toBe(planes.length)
  for (let i = 0; i < 10; i++) expect([out[i * frame], out[(i + 1) * frame - 1]]).toEqual([i, i])
})

test('a length that does not fit is refused', async () =>
  expect(floatToRgb(new Float32Array(13), 2, 2)).rejects.toThrow('planes has 13 samples, not a multiple of 3x2x2'))
