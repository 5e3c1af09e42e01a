// The same as sharpenPlain of reference.ts, row by row without a list.
import { sharpness } from './reference.ts'

/** Rows [from, to). */
export function sharpenRows(rgb: Uint8Array, width: number, height: number, out: Uint8Array, from: number, to: number): void {
  const stride = 3 * width
  for (let y = from; y < to; y++) {
    const row = y * stride
    const up = y > 0 ? stride : 0
    const down = y < height - 1 ? stride : 0
    for (let i = 0; i < stride; i++) {
      const at = row + i
      const center = rgb[at]!
      const above = rgb[at - up]!
      const below = rgb[at + down]!
      const left = i < 3 ? center : rgb[at - 3]!
      const right = i >= stride - 3 ? center : rgb[at + 3]!
      const sharp = center + ((sharpness * (4 * center - above - below - left - right) + 32) >> 6)
      const low = Math.min(above, below, left, right, center)
      const high = Math.max(above, below, left, right, center)
      out[at] = Math.min(Math.max(sharp, low), high)
    }
  }
}
