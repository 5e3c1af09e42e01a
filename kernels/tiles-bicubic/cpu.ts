// The same as reference.ts with typed arrays: rows are interpolated once, as they are needed, and kept while the next new rows need them.
import type { Tiling } from './reference.ts'
import type { Cubic } from './taps.ts'

const f32 = Math.fround

export interface TilesJob {
  rgb: Uint8Array
  tiling: Tiling
  levels: Float32Array
  across: Cubic
  down: Cubic
  /** Rows of the source, interpolated: [3, columns × tile]. */
  wide: Map<number, Float32Array>
}

/** New rows [from, to) of the picture into `out`: [rows × columns, 3, tile, tile]. */
export function tileRows(job: TilesJob, out: Float32Array, from: number, to: number): void {
  const { tile, columns } = job.tiling
  const { at, weights } = job.down
  const width = columns * tile
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let y = from; y < to; y++) {
    const first = at[4 * y]!
    for (const row of job.wide.keys()) if (row < first) job.wide.delete(row)
    const [a, b, c, d] = [0, 1, 2, 3].map((tap) => wideRow(job, at[4 * y + tap]!)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ]
    const [wa, wb, wc, wd] = weights.subarray(4 * y) as unknown as [number, number, number, number]
    const tileRow = Math.floor(y / tile) * columns
    for (let channel = 0; channel < 3; channel++) {
      for (let column = 0; column < columns; column++) {
        let target = ((tileRow + column) * 3 + channel) * tile * tile + (y % tile) * tile
        const start = channel * width + column * tile
        for (let x = start; x < start + tile; x++, target++) {
          out[target] = f32(f32(f32(wa * a[x]!) + f32(wb * b[x]!)) + f32(wc * c[x]!)) + f32(wd * d[x]!)
          const word = bits[target]!
          bits[target] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000
        }
      }
    }
  }
}

function wideRow({ rgb, tiling, levels, across, wide }: TilesJob, row: number): Float32Array {
  const known = wide.get(row)
  if (known !== undefined) return known
  const { at, weights } = across
  const width = tiling.columns * tiling.tile
  const made = new Float32Array(3 * width)
  const start = 3 * row * tiling.width
  for (let channel = 0; channel < 3; channel++) {
    const table = levels.subarray(256 * channel)
    const pixels = rgb.subarray(start + channel)
    for (let x = 0, i = 0; x < width; x++, i += 4) {
      const a = f32(weights[i]! * table[pixels[3 * at[i]!]!]!)
      const b = f32(weights[i + 1]! * table[pixels[3 * at[i + 1]!]!]!)
      const c = f32(weights[i + 2]! * table[pixels[3 * at[i + 2]!]!]!)
      const d = f32(weights[i + 3]! * table[pixels[3 * at[i + 3]!]!]!)
      made[channel * width + x] = f32(f32(a + b) + c) + d
    }
  }
  wide.set(row, made)
  return made
}
