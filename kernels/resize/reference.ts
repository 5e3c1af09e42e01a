// Another size by a separable filter: first every row, rounded to bytes, then every column. Equal to Pillow's Image.resize in its usual order.
import { type ResizeFilter, tapsOf, weightBits } from './taps.ts'

export interface Size {
  width: number
  height: number
}

/** `rgb`: [from.height, from.width, 3]. Returns [to.height, to.width, 3]. */
export function resizePlain(rgb: Uint8Array, from: Size, to: Size, filter: ResizeFilter): Uint8Array {
  const across = tapsOf(from.width, to.width, filter)
  const down = tapsOf(from.height, to.height, filter)
  const wide = new Uint8Array(3 * to.width * from.height)
  for (let y = 0; y < from.height; y++) {
    for (let x = 0; x < to.width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        wide[3 * (y * to.width + x) + channel] = weigh(across, x, from.width, (at) => rgb[3 * (y * from.width + at) + channel]!)
      }
    }
  }
  const out = new Uint8Array(3 * to.width * to.height)
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < to.width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        out[3 * (y * to.width + x) + channel] = weigh(down, y, from.height, (at) => wide[3 * (at * to.width + x) + channel]!)
      }
    }
  }
  return out
}

function weigh({ count, first, weights }: ReturnType<typeof tapsOf>, i: number, size: number, value: (at: number) => number): number {
  let sum = 2 ** (weightBits - 1)
  for (let tap = 0; tap < count && first[i]! + tap < size; tap++) sum += weights[i * count + tap]! * value(first[i]! + tap)
  return Math.min(Math.max(Math.floor(sum / 2 ** weightBits), 0), 255)
}
