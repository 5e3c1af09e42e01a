// RGB to YUV 4:2:0 for video encoders. reference.ts has the formula.
import { type Call, perform } from '../perform.ts'
import { yuv420Bytes } from './reference.ts'
import code from './rgb-to-yuv420.wgsl' with { type: 'text' }
import { rgbToYuv420Simd } from './wasm.ts'

/** `rgb`: [height, width, 3]. Resolves to the planes Y, U, V, yuv420Bytes long. Rejects with a RangeError when the length does not fit. */
export async function rgbToYuv420(rgb: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  return perform(rgbToYuv420Call(rgb, width, height))
}

export function rgbToYuv420Call(rgb: Uint8Array, width: number, height: number): Call<Uint8Array> {
  if (rgb.length !== 3 * width * height) throw new RangeError(`rgb has ${rgb.length} bytes, ${width}x${height} needs ${3 * width * height}`)
  const outputBytes = yuv420Bytes(width, height)
  const words = Math.ceil(outputBytes / 4)
  const out = new Uint8Array(outputBytes)
  return {
    kernel: 'rgb-to-yuv420',
    bytes: rgb.length + outputBytes,
    cpu: {
      units: (height + 1) >> 1,
      step: (from, to) => rgbToYuv420Simd(rgb, width, height, out, from, to),
      result: () => out,
    },
    gpu: {
      passes: () => [
        { key: 'rgb-to-yuv420', code, sizes: [words, width, height], inputs: [rgb], outputBytes: 4 * words, invocations: words },
      ],
      result: (bytes) => bytes.subarray(0, outputBytes),
    },
  }
}
