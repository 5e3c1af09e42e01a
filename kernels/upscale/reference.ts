// A picture two to four times as large, by arithmetic alone: nothing is invented, no network is asked.
// `lanczos` is resize with that filter. `lanczos-sharp` then steepens edges: an unsharp mask over the four neighbours, whose result stays between the
// smallest and the largest of the pixel and its neighbours, so that edges get no halo.
import { resizePlain, type Size } from '../resize/reference.ts'

export type UpscaleMethod = 'lanczos' | 'lanczos-sharp'

/** Of 64: how much of the difference to the four neighbours (4c - n) is added. upscale.wat has it as a shift. */
export const sharpness = 32

/** `rgb`: [height, width, 3]. Returns [factor * height, factor * width, 3]. */
export function upscalePlain(rgb: Uint8Array, size: Size, factor: number, method: UpscaleMethod): Uint8Array {
  const to = { width: factor * size.width, height: factor * size.height }
  const smooth = resizePlain(rgb, size, to, 'lanczos')
  return method === 'lanczos' ? smooth : sharpenPlain(smooth, to)
}

/** Pixels beyond an edge repeat it. */
export function sharpenPlain(rgb: Uint8Array, { width, height }: Size): Uint8Array {
  const out = new Uint8Array(rgb.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const at = (ax: number, ay: number) => rgb[3 * (clamp(ay, height) * width + clamp(ax, width)) + channel]!
        const around = [at(x, y - 1), at(x - 1, y), at(x + 1, y), at(x, y + 1)]
        const center = at(x, y)
        const detail = 4 * center - around.reduce((a, b) => a + b)
        const sharp = center + Math.floor((sharpness * detail + 32) / 64)
        out[3 * (y * width + x) + channel] = Math.min(Math.max(sharp, Math.min(center, ...around)), Math.max(center, ...around))
      }
    }
  }
  return out
}

function clamp(at: number, size: number): number {
  return Math.min(Math.max(at, 0), size - 1)
}
