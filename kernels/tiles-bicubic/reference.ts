// A picture interpolated to whole tiles, on its normalised values instead of its bytes, and cut into them: what SGLang does for InternVL. The numbers end as
// bfloat16, which they are rounded to here too.
import { toBf16 } from '../normalize-patchify/levels.ts'
import { cubicOf } from './taps.ts'

export interface Tiling {
  width: number
  height: number
  /** Side of a tile. */
  tile: number
  rows: number
  columns: number
}

/** `rgb`: [height, width, 3]. `levels`: at least [3, 256]. Returns [rows × columns, 3, tile, tile]. */
export function tilesBicubicPlain(rgb: Uint8Array, { width, height, tile, rows, columns }: Tiling, levels: Float32Array): Float32Array {
  const across = cubicOf(width, columns * tile)
  const down = cubicOf(height, rows * tile)
  const out: number[] = []
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let channel = 0; channel < 3; channel++) {
        for (let y = row * tile; y < (row + 1) * tile; y++) {
          for (let x = column * tile; x < (column + 1) * tile; x++) {
            const inRow = (sourceRow: number) =>
              sum(across.weights, x, (tap) => levels[256 * channel + rgb[3 * (sourceRow * width + across.at[4 * x + tap]!) + channel]!]!)
            out.push(toBf16(sum(down.weights, y, (tap) => inRow(down.at[4 * y + tap]!))))
          }
        }
      }
    }
  }
  return Float32Array.from(out)
}

function sum(weights: Float32Array, i: number, value: (tap: number) => number): number {
  let all = 0
  for (let tap = 0; tap < 4; tap++) all = Math.fround(all + Math.fround(weights[4 * i + tap]! * value(tap)))
  return all
}
