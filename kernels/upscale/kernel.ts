// Larger pictures without a network. reference.ts has the meaning of each method.
import { type Call, perform } from '../perform.ts'
import { resizeCall } from '../resize/kernel.ts'
import type { Size } from '../resize/reference.ts'
import { sharpness, type UpscaleMethod } from './reference.ts'
import code from './upscale.wgsl' with { type: 'text' }
import { sharpenRowsSimd } from './wasm.ts'

/** `rgb`: [height, width, 3]; `factor` is 2, 3 or 4. Resolves to the picture of `factor` times the size. Rejects with a RangeError. */
export async function upscale(rgb: Uint8Array, size: Size, factor: number, method: UpscaleMethod = 'lanczos-sharp'): Promise<Uint8Array> {
  return perform(upscaleCall(rgb, size, factor, method))
}

export function upscaleCall(rgb: Uint8Array, size: Size, factor: number, method: UpscaleMethod): Call<Uint8Array> {
  if (factor !== 2 && factor !== 3 && factor !== 4) throw new RangeError(`upscale by 2, 3 or 4, not ${factor}`)
  const width = factor * size.width
  const height = factor * size.height
  const smooth = resizeCall(rgb, size, { width, height }, 'lanczos')
  if (method === 'lanczos') return { ...smooth, kernel: 'upscale-lanczos' }
  const out = new Uint8Array(3 * width * height)
  const words = Math.ceil(out.length / 4)
  const split = smooth.cpu.units
  return {
    kernel: 'upscale-lanczos-sharp',
    bytes: rgb.length + out.length,
    cpu: {
      units: split + height,
      step(from, to) {
        if (from < split) smooth.cpu.step(from, Math.min(to, split))
        if (to > split) sharpenRowsSimd(smooth.cpu.result(), width, height, out, Math.max(from, split) - split, to - split)
      },
      result: () => out,
    },
    gpu: {
      passes() {
        const passes = smooth.gpu.passes()
        const sharpen = {
          key: 'upscale',
          code,
          constants: { sharpness },
          sizes: [words, width, height],
          inputs: [passes.length - 1],
          outputBytes: 4 * words,
          invocations: words,
        }
        return [...passes, sharpen]
      },
      result: (bytes) => bytes.subarray(0, out.length),
    },
  }
}
