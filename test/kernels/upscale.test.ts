import { expect, test } from 'bun:test'
import { sharpenRows } from '../../kernels/upscale/cpu.ts'
import { upscale, upscaleCall } from '../../kernels/upscale/kernel.ts'
import { sharpenPlain, type UpscaleMethod, upscalePlain } from '../../kernels/upscale/reference.ts'
import { embeddings, embedWat } from '../helpers/build-wat.ts'
import { random } from '../helpers/random.ts'
import { kernelSuite } from '../suites/kernel.suite.ts'

const shapes = [
  [1, 1, 2],
  [1, 3, 4],
  [7, 5, 3],
  [32, 2, 2],
  [33, 31, 2],
  [13, 17, 4],
] as const // prettier-ignore

kernelSuite(
  (['lanczos', 'lanczos-sharp'] as UpscaleMethod[]).flatMap((method) =>
    shapes.map(([width, height, factor]) => {
      const next = random(width * 1000 + height)
      const rgb = Uint8Array.from({ length: 3 * width * height }, () => (next(3) === 0 ? next(256) : 255 * next(2)))
      return {
        name: `${method} ${width}x${height} by ${factor}`,
        call: () => upscaleCall(rgb, { width, height }, factor, method),
        plain: () => upscalePlain(rgb, { width, height }, factor, method),
      }
    }),
  ),
)

test('the embedded bytes are what the source says', async () => {
  expect(await Bun.file(embeddings.upscale.ts).text()).toBe(await embedWat(embeddings.upscale))
})

test('without WebAssembly: typed arrays alone give the same', () => {
  const next = random(3)
  const rgb = Uint8Array.from({ length: 3 * 37 * 21 }, () => 255 * next(2))
  const out = new Uint8Array(rgb.length)
  sharpenRows(rgb, 37, 21, out, 0, 21)
  expect([...out]).toEqual([...sharpenPlain(rgb, { width: 37, height: 21 })])
})

test('an edge becomes steeper, and no value lies beyond those around it', async () => {
  // Dark left, light right.
  const size = { width: 8, height: 1 }
  const rgb = Uint8Array.from({ length: 24 }, (_, i) => (i < 12 ? 50 : 200))
  const row = async (method: UpscaleMethod) => [...(await upscale(rgb, size, 4, method))].filter((_, i) => i % 3 === 0).slice(0, 32)
  const [smooth, sharp] = [await row('lanczos'), await row('lanczos-sharp')]
  const steepest = (values: number[]) => Math.max(...values.slice(1).map((value, i) => value - values[i]!))
  expect(steepest(sharp)).toBeGreaterThan(1.15 * steepest(smooth))
  expect(Math.min(...sharp)).toBeGreaterThanOrEqual(Math.min(...smooth))
  expect(Math.max(...sharp)).toBeLessThanOrEqual(Math.max(...smooth))
})

test('other factors are refused', async () =>
  expect(upscale(new Uint8Array(3), { width: 1, height: 1 }, 5)).rejects.toThrow('upscale by 2, 3 or 4, not 5'))
