// The same as reference.ts with typed arrays: rows with three sums at a time, columns as whole rows that are added up. Clamped arrays cut to a byte, and
// round halves to even, as float32 sums need it.
import type { Taps } from './taps.ts'

/** Bytes, or sums of the pass before. */
export type Samples = Uint8Array | Uint8ClampedArray | Float32Array

/** Rows [from, to) of `source` (`width` pixels), each to `outWidth` pixels. */
export function across(source: Samples, width: number, taps: Taps, out: Samples, outWidth: number, from: number, to: number): void {
  const { count, first, weights, bits } = taps
  const half = bits === 0 ? 0 : 2 ** (bits - 1)
  for (let y = from; y < to; y++) {
    const row = 3 * y * width
    let at = 3 * y * outWidth
    for (let x = 0; x < outWidth; x++, at += 3) {
      let [r, g, b] = [half, half, half]
      const end = (x + 1) * count
      for (let w = x * count, pixel = row + 3 * first[x]!; w < end; w++, pixel += 3) {
        const weight = weights[w]!
        if (bits === 0) {
          r = Math.fround(r + Math.fround(weight * source[pixel]!))
          g = Math.fround(g + Math.fround(weight * source[pixel + 1]!))
          b = Math.fround(b + Math.fround(weight * source[pixel + 2]!))
        } else {
          r = (r + weight * source[pixel]!) | 0
          g = (g + weight * source[pixel + 1]!) | 0
          b = (b + weight * source[pixel + 2]!) | 0
        }
      }
      out[at] = bits === 0 ? r : r >> bits
      out[at + 1] = bits === 0 ? g : g >> bits
      out[at + 2] = bits === 0 ? b : b >> bits
    }
  }
}

/** New rows [from, to) of `stride` samples. */
export function down(source: Samples, stride: number, taps: Taps, out: Samples, from: number, to: number): void {
  const { count, first, weights, bits } = taps
  const sums = bits === 0 ? new Float32Array(stride) : new Int32Array(stride)
  for (let y = from; y < to; y++) {
    sums.fill(bits === 0 ? 0 : 2 ** (bits - 1))
    for (let tap = 0; tap < count; tap++) {
      const weight = weights[y * count + tap]!
      if (weight === 0) continue
      const row = source.subarray((first[y]! + tap) * stride, (first[y]! + tap + 1) * stride)
      // A float32 array rounds the sum; the product is rounded here, as two operations of float32 are.
      if (bits === 0) for (let i = 0; i < stride; i++) sums[i] = sums[i]! + Math.fround(weight * row[i]!)
      else for (let i = 0; i < stride; i++) sums[i] = sums[i]! + weight * row[i]!
    }
    const target = out.subarray(y * stride, (y + 1) * stride)
    if (bits === 0) target.set(sums)
    else for (let i = 0; i < stride; i++) target[i] = sums[i]! >> bits
  }
}
