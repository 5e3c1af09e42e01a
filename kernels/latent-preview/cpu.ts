// The same as reference.ts, bit for bit: the same sums in the same order, channel by channel over whole rows so that memory is read in order.
import { factorsOf } from './factors.ts'
import type { LatentPicture } from './reference.ts'

/** Rows [from, to) into `rgb`. */
export function latentPreviewRows(
  { family, data, channels, width, height }: LatentPicture,
  rgb: Uint8ClampedArray,
  from: number,
  to: number,
): void {
  const { factors, bias } = factorsOf[family]
  const pixels = width * height
  const sums = new Float64Array(3 * width)
  for (let row = from * width; row < to * width; row += width) {
    for (let x = 0; x < sums.length; x += 3) {
      sums[x] = bias[0]
      sums[x + 1] = bias[1]
      sums[x + 2] = bias[2]
    }
    for (let channel = 0; channel < channels; channel++) {
      const [r, g, b] = factors[channel]!
      const first = channel * pixels + row
      for (let x = 0, at = 0; x < width; x++, at += 3) {
        const value = data[first + x]!
        sums[at] = sums[at]! + value * r
        sums[at + 1] = sums[at + 1]! + value * g
        sums[at + 2] = sums[at + 2]! + value * b
      }
    }
    // floor(x + 0.5) as Math.round does; the array clamps, and makes NaN 0.
    for (let x = 0; x < sums.length; x++) rgb[3 * row + x] = Math.floor((sums[x]! / 2 + 0.5) * 255 + 0.5)
  }
}
