// Float frames of a decoder to 8-bit RGB. reference.ts has the rule.
import { type Call, perform } from '../perform.ts'
import { floatToRgbPixels } from './cpu.ts'
import code from './float-to-rgb.wgsl' with { type: 'text' }
import type { SampleRange } from './reference.ts'

/** Of one call: long clips go in parts, which fit into a binding of the device (128 MiB). */
const mostSamples = 24 << 20

/**
 * `planes`: [frames, 3, height, width] in `range` (default `unit`). Resolves to [frames, height, width, 3].
 * Rejects with a RangeError when the length does not fit.
 */
export async function floatToRgb(planes: Float32Array, width: number, height: number, range: SampleRange = 'unit'): Promise<Uint8Array> {
  const frame = 3 * width * height
  const atATime = frame * Math.max(1, Math.floor(mostSamples / frame))
  if (planes.length <= atATime) return perform(floatToRgbCall(planes, width, height, range))
  const out = new Uint8Array(planes.length)
  for (let from = 0; from < planes.length; from += atATime) {
    out.set(await perform(floatToRgbCall(planes.subarray(from, from + atATime), width, height, range)), from)
  }
  return out
}

export function floatToRgbCall(planes: Float32Array, width: number, height: number, range: SampleRange): Call<Uint8Array> {
  const pixels = width * height
  const frames = planes.length / (3 * pixels)
  if (frames < 1 || !Number.isInteger(frames)) {
    throw new RangeError(`planes has ${planes.length} samples, not a multiple of 3x${height}x${width}`)
  }
  const words = Math.ceil(planes.length / 4)
  const out = new Uint8Array(planes.length)
  return {
    kernel: 'float-to-rgb',
    bytes: 5 * planes.length,
    cpu: {
      units: frames * height,
      step(from, to) {
        for (let row = from; row < to; ) {
          const frame = Math.floor(row / height)
          const end = Math.min(to, (frame + 1) * height)
          floatToRgbPixels(planes, pixels, range, out, frame, (row - frame * height) * width, (end - frame * height) * width)
          row = end
        }
      },
      result: () => out,
    },
    gpu: {
      passes: () => [
        {
          key: `float-to-rgb ${range}`,
          code,
          constants: { signed: range === 'signed' ? 1 : 0 },
          sizes: [pixels, words],
          inputs: [planes],
          outputBytes: 4 * words,
          invocations: words,
        },
      ],
      result: (bytes) => bytes.subarray(0, planes.length),
    },
  }
}
