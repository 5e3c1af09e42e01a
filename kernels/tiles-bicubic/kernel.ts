// Pictures as InternVL's tiles. reference.ts has the meaning.
import { type Call, perform } from '../perform.ts'
import { spareFloats } from '../spare.ts'
import { tileRows } from './cpu.ts'
import type { Tiling } from './reference.ts'
import { cubicOf } from './taps.ts'
import code from './tiles-bicubic.wgsl' with { type: 'text' }

/** `rgb`: [height, width, 3]. `levels`: at least [3, 256]. Resolves to [rows × columns, 3, tile, tile]. Rejects with a RangeError when sizes do not fit. */
export async function tilesBicubic(rgb: Uint8Array, tiling: Tiling, levels: Float32Array): Promise<Float32Array> {
  const bytes = await perform(tilesBicubicCall(rgb, tiling, levels))
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** Its result are the bytes of what `tilesBicubic` resolves to. */
export function tilesBicubicCall(rgb: Uint8Array, tiling: Tiling, levels: Float32Array): Call<Uint8Array> {
  const { width, height, tile, rows, columns } = tiling
  for (const side of [width, height, tile, rows, columns]) {
    if (!Number.isInteger(side) || side < 1) throw new RangeError(`a picture cannot have ${side} pixels or tiles`)
  }
  if (rgb.length !== 3 * width * height) throw new RangeError(`rgb has ${rgb.length} bytes, ${width}x${height} needs ${3 * width * height}`)
  const across = cubicOf(width, columns * tile)
  const down = cubicOf(height, rows * tile)
  const out = spareFloats(3 * rows * columns * tile * tile)
  const job = { rgb, tiling, levels, across, down, wide: new Map() }
  return {
    kernel: 'tiles-bicubic',
    bytes: rgb.length + out.byteLength,
    cpu: {
      units: rows * tile,
      step: (from, to) => tileRows(job, out, from, to),
      result: () => new Uint8Array(out.buffer, 0, out.byteLength),
    },
    gpu: {
      passes: () => [
        {
          key: 'tiles-bicubic',
          code,
          sizes: [width, tile, columns, out.length],
          inputs: [rgb, levels, across.at, across.weights, down.at, down.weights],
          outputBytes: out.byteLength,
          invocations: out.length,
        },
      ],
      result: (bytes) => bytes,
    },
  }
}
