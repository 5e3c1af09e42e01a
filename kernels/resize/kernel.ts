// Pictures in another size, antialiased. reference.ts has the meaning.
import { type Call, perform } from '../perform.ts'
import type { Size } from './reference.ts'
import code from './resize.wgsl' with { type: 'text' }
import { type ResizeFilter, tapsOf } from './taps.ts'
import { resizeAcrossSimd, resizeDownSimd } from './wasm.ts'

/** `rgb`: [from.height, from.width, 3]. Resolves to [to.height, to.width, 3]. Rejects with a RangeError when sizes do not fit. */
export async function resize(rgb: Uint8Array, from: Size, to: Size, filter: ResizeFilter = 'bicubic'): Promise<Uint8Array> {
  return perform(resizeCall(rgb, from, to, filter))
}

export function resizeCall(rgb: Uint8Array, from: Size, to: Size, filter: ResizeFilter): Call<Uint8Array> {
  for (const side of [from.width, from.height, to.width, to.height]) {
    if (!Number.isInteger(side) || side < 1) throw new RangeError(`a picture cannot be ${side} wide or high`)
  }
  if (rgb.length !== 3 * from.width * from.height) {
    throw new RangeError(`rgb has ${rgb.length} bytes, ${from.width}x${from.height} needs ${3 * from.width * from.height}`)
  }
  const across = tapsOf(from.width, to.width, filter)
  const down = tapsOf(from.height, to.height, filter)
  const wide = new Uint8ClampedArray(3 * to.width * from.height)
  const out = new Uint8ClampedArray(3 * to.width * to.height)
  const pixels = to.width * to.height
  const quads = Math.ceil(pixels / 4)
  return {
    kernel: `resize-${filter}`,
    bytes: rgb.length + out.length,
    cpu: {
      units: from.height + to.height,
      step(start, end) {
        const split = from.height
        if (start < split) resizeAcrossSimd(rgb, from.width, across, wide, to.width, start, Math.min(end, split))
        if (end > split) resizeDownSimd(wide, 3 * to.width, from.height, down, out, Math.max(start, split) - split, end - split)
      },
      result: () => new Uint8Array(out.buffer),
    },
    gpu: {
      passes: () => [
        {
          key: 'resize across',
          code,
          entry: 'across',
          sizes: [from.width, to.width, across.count, to.width * from.height],
          inputs: [rgb, across.first, across.weights],
          outputBytes: 4 * to.width * from.height,
          invocations: to.width * from.height,
        },
        {
          key: 'resize down',
          code,
          entry: 'down',
          sizes: [from.height, to.width, down.count, pixels],
          inputs: [0, down.first, down.weights],
          outputBytes: 12 * quads,
          invocations: quads,
        },
      ],
      result: (bytes) => bytes.subarray(0, out.length),
    },
  }
}
