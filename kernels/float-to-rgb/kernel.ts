// Float frames of a decoder to 8-bit RGB. reference.ts has the rule.
import { floatToRgbCpu } from './cpu.ts'
import type { SampleRange } from './reference.ts'

/** `planes`: [frames, 3, height, width] in `range` (default `unit`). Resolves to [frames, height, width, 3]. Throws a RangeError when the length does not fit. */
export async function floatToRgb(planes: Float32Array, width: number, height: number, range: SampleRange = 'unit'): Promise<Uint8Array> {
  const frame = 3 * width * height
  if (planes.length === 0 || planes.length % frame !== 0) {
    throw new RangeError(`planes has ${planes.length} samples, not a multiple of 3x${height}x${width}`)
  }
  return floatToRgbCpu(planes, width, height, range)
}
