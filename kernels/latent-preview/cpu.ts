// The same as reference.ts, bit for bit: the same sums in the same order, channel by channel over whole rows so that memory is read in order.
import { factorsOf } from './factors.ts'
import type { LatentPicture, Preview } from './reference.ts'

export function latentPreviewCpu({ family, data, channels, width, height }: LatentPicture): Preview {
  const { factors, bias } = factorsOf[family]
  const pixels = width * height
  const rgb = new Uint8ClampedArray(3 * pixels)
  const sums = new Float64Array(3 * width)
  for (let row = 0; row < pixels; row += width) {
    for (let x = 0; x < sums.length; x += 3) sums.set(bias, x)
    for (let channel = 0; channel < channels; channel++) {
      const [r, g, b] = factors[channel]!
      const from = channel * pixels + row
      for (let x = 0, to = 0; x < width; x++, to += 3) {
        const value = data[from + x]!
        sums[to] = sums[to]! + value * r
        sums[to + 1] = sums[to + 1]! + value * g
        sums[to + 2] = sums[to + 2]! + value * b
      }
    }
    // floor(x + 0.5) as Math.round does; the array clamps, and makes NaN 0.
    for (let x = 0; x < sums.length; x++) rgb[3 * row + x] = Math.floor((sums[x]! / 2 + 0.5) * 255 + 0.5)
  }
  return { rgb: new Uint8Array(rgb.buffer), width, height }
}
