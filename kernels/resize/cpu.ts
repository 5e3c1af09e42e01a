// The same as reference.ts with typed arrays: rows with three sums at a time, columns as whole rows that are added up. The clamped arrays cut to a byte.
import type { Taps } from './taps.ts'

const half = 1 << 21

/** Rows [from, to) of `rgb`, each to `outWidth` pixels. */
export function resizeAcross(
  rgb: Uint8Array,
  width: number,
  taps: Taps,
  out: Uint8ClampedArray,
  outWidth: number,
  from: number,
  to: number,
): void {
  const { count, first, weights } = taps
  for (let y = from; y < to; y++) {
    const row = 3 * y * width
    let at = 3 * y * outWidth
    for (let x = 0; x < outWidth; x++, at += 3) {
      const low = first[x]!
      const used = Math.min(count, width - low)
      let r = half
      let g = half
      let b = half
      for (let tap = 0, source = row + 3 * low, w = x * count; tap < used; tap++, source += 3, w++) {
        const weight = weights[w]!
        r = (r + weight * rgb[source]!) | 0
        g = (g + weight * rgb[source + 1]!) | 0
        b = (b + weight * rgb[source + 2]!) | 0
      }
      out[at] = r >> 22
      out[at + 1] = g >> 22
      out[at + 2] = b >> 22
    }
  }
}

/** New rows [from, to) of `stride` bytes, out of `height` rows. */
export function resizeDown(
  wide: Uint8ClampedArray,
  stride: number,
  height: number,
  taps: Taps,
  out: Uint8ClampedArray,
  from: number,
  to: number,
): void {
  const { count, first, weights } = taps
  const sums = new Int32Array(stride)
  for (let y = from; y < to; y++) {
    sums.fill(half)
    const low = first[y]!
    const used = Math.min(count, height - low)
    for (let tap = 0; tap < used; tap++) {
      const weight = weights[y * count + tap]!
      if (weight === 0) continue
      const row = wide.subarray((low + tap) * stride, (low + tap + 1) * stride)
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + weight * row[i]!
    }
    const target = out.subarray(y * stride, (y + 1) * stride)
    for (let i = 0; i < stride; i++) target[i] = sums[i]! >> 22
  }
}
