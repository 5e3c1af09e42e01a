// What every kernel must do: each of its ways (CPU at once, CPU in slices, WebGPU) gives what the plain twin gives, on shapes that break arithmetic
// of sizes: 1, primes, one past a workgroup.
import { describe, expect, test } from 'bun:test'
import type { Call } from '../../kernels/perform.ts'
import { openDevice } from '../../src/gpu/device.ts'
import { run } from '../../src/gpu/run.ts'
import { testDevice } from '../helpers/webgpu.ts'

export interface KernelCase {
  name: string
  /** A fresh call, with the same inputs each time. */
  call(): Call<Uint8Array>
  plain(): Uint8Array
}

const present = (await testDevice()) !== undefined

/** `webgpuMayDiffer`: by so much in a byte, where floats are added in another order. */
export function kernelSuite(cases: readonly KernelCase[], webgpuMayDiffer = 0): void {
  describe.each(cases.map((one) => [one.name, one] as const))('%s', (_, { call, plain }) => {
    test('on the CPU, at once', () => {
      const { cpu } = call()
      cpu.step(0, cpu.units)
      expect(difference(cpu.result(), plain())).toEqual({ bytes: 0, most: 0 })
    })

    test('on the CPU, in slices', () => {
      const { cpu } = call()
      for (let from = 0, size = 1; from < cpu.units; from += size, size = 1 + ((size * 7) % 5))
        cpu.step(from, Math.min(from + size, cpu.units))
      expect(difference(cpu.result(), plain())).toEqual({ bytes: 0, most: 0 })
    })

    test.skipIf(!present)('on WebGPU', async () => {
      const one = call()
      const { bytes } = await run((await openDevice())!, one.gpu.passes())
      expect(difference(one.gpu.result(bytes), plain()).most).toBeLessThanOrEqual(webgpuMayDiffer)
    })
  })
}

/** How many bytes differ, and by how much at most; another length counts as all. */
export function difference(a: Uint8Array, b: Uint8Array): { bytes: number; most: number } {
  if (a.length !== b.length) return { bytes: Math.max(a.length, b.length), most: 255 }
  let bytes = 0
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const by = Math.abs(a[i]! - b[i]!)
    if (by === 0) continue
    bytes++
    most = Math.max(most, by)
  }
  return { bytes, most }
}
