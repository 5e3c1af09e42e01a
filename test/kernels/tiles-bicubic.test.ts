import { describe, expect, test } from 'bun:test'
import { levelsOf } from '../../kernels/normalize-patchify/levels.ts'
import { tilesBicubic, tilesBicubicCall } from '../../kernels/tiles-bicubic/kernel.ts'
import { tilesBicubicPlain } from '../../kernels/tiles-bicubic/reference.ts'
import { openDevice } from '../../src/gpu/device.ts'
import { run } from '../../src/gpu/run.ts'
import { random } from '../helpers/random.ts'
import { testDevice } from '../helpers/webgpu.ts'

const present = (await testDevice()) !== undefined
const levels = levelsOf({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], rescale: 1 / 255 }, 'divided')
const tilings = [
  { width: 1, height: 1, tile: 4, rows: 1, columns: 1 },
  { width: 23, height: 17, tile: 16, rows: 1, columns: 2 },
  { width: 70, height: 41, tile: 7, rows: 2, columns: 3 },
]

describe.each(tilings.map((one) => [`${one.width}x${one.height} in ${one.rows}x${one.columns} of ${one.tile}`, one] as const))(
  '%s',
  (_, tiling) => {
    const next = random(tiling.width)
    const rgb = Uint8Array.from({ length: 3 * tiling.width * tiling.height }, () => next(256))
    const plain = tilesBicubicPlain(rgb, tiling, levels)

    test('on the CPU: as the plain twin, also in slices and out of order', async () => {
      expect(await tilesBicubic(rgb, tiling, levels)).toEqual(plain)
      const { cpu } = tilesBicubicCall(rgb, tiling, levels)
      for (let row = cpu.units - 1; row >= 0; row--) cpu.step(row, row + 1)
      expect(new Float32Array(cpu.result().buffer)).toEqual(plain)
    })

    test.skipIf(!present)('on WebGPU: at most the next bfloat16', async () => {
      const { gpu } = tilesBicubicCall(rgb, tiling, levels)
      const { bytes } = await run((await openDevice())!, gpu.passes())
      const values = new Float32Array(gpu.result(bytes).buffer)
      expect(values.length).toBe(plain.length)
      // Sums near zero have few digits in common.
      for (const [i, value] of values.entries())
        expect(Math.abs(value - plain[i]!)).toBeLessThanOrEqual(2 ** -7 * Math.abs(plain[i]!) + 1e-5)
    })
  },
)

test('what has no pixels or tiles is refused', () => {
  const one = { width: 1, height: 1, tile: 4, rows: 1, columns: 1 }
  expect(tilesBicubic(new Uint8Array(3), { ...one, rows: 0 }, levels)).rejects.toThrow('a picture cannot have 0 pixels or tiles')
  expect(tilesBicubic(new Uint8Array(4), one, levels)).rejects.toThrow('rgb has 4 bytes, 1x1 needs 3')
})
