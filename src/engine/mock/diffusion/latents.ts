// Latents that look like a given picture: the smallest ones whose preview (kernels/latent-preview) has its colours, under noise that fades.
import { factorsOf } from '../../../../kernels/latent-preview/factors.ts'
import type { Latents } from '../../diffusion/diffusion.ts'

const scale = 8

/** Of a picture, or numbers of latents, that are counted at a stretch: a few milliseconds' work. */
const turnPixels = 1 << 18

/** The picture in small: the mean colour of each 8x8 block, [height, width, 3], 0 to 255. Counted once, for all previews of a picture. */
export interface Thumbnail {
  colours: Float32Array
  width: number
  height: number
}

/** `turn` lets others have the thread now and then; what it rejects with ends this. */
export async function thumbnail(rgb: Uint8Array, width: number, height: number, turn: () => Promise<void>): Promise<Thumbnail> {
  const w = Math.max(1, Math.floor(width / scale))
  const h = Math.max(1, Math.floor(height / scale))
  const colours = new Float32Array(w * h * 3)
  for (let y = 0; y < h * scale; y++) {
    if (y > 0 && (y * width) % turnPixels < width) await turn()
    const row = Math.floor(y / scale) * w
    for (let x = 0; x < w * scale; x++) {
      const to = (row + Math.floor(x / scale)) * 3
      const from = (Math.min(y, height - 1) * width + Math.min(x, width - 1)) * 3
      for (let c = 0; c < 3; c++) colours[to + c] = colours[to + c]! + rgb[from + c]! / scale ** 2
    }
  }
  return { colours, width: w, height: h }
}

/** `left` is the part of the noise that is still there: 1 at the start, 0 in the finished picture. `turn` as of `thumbnail`. */
export async function latentsOf(
  { colours, width, height }: Thumbnail,
  { family, left, seed }: { family: Latents['family']; left: number; seed: number },
  turn: () => Promise<void>,
): Promise<Latents> {
  const { factors, bias } = factorsOf[family]
  const channels = factors.length
  const pixels = width * height
  const data = new Float32Array(channels * pixels)
  const noise = numbers(seed)
  for (const [channel, row] of rightInverse(factors).entries()) {
    if (channel > 0 && (channel * pixels) % turnPixels < pixels) await turn()
    for (let pixel = 0; pixel < pixels; pixel++) {
      let value = 0
      for (let c = 0; c < 3; c++) value += row[c]! * ((colours[pixel * 3 + c]! / 255) * 2 - 1 - bias[c]!)
      data[channel * pixels + pixel] = value * (1 - left) + noise() * left
    }
  }
  return { family, data, channels, width, height }
}

/** F (FᵀF)⁻¹ of the 16x3 factors: latents × F gives the colour back, with the least latents that do. */
function rightInverse(factors: readonly (readonly number[])[]): number[][] {
  const gram = [0, 1, 2].map((i) => [0, 1, 2].map((j) => factors.reduce((sum, row) => sum + row[i]! * row[j]!, 0)))
  const at = (i: number, j: number) => gram[i % 3]![j % 3]!
  const cofactor = (i: number, j: number) => at(i + 1, j + 1) * at(i + 2, j + 2) - at(i + 1, j + 2) * at(i + 2, j + 1)
  const determinant = at(0, 0) * cofactor(0, 0) + at(0, 1) * cofactor(0, 1) + at(0, 2) * cofactor(0, 2)
  // The matrix is symmetric, so its cofactors are the inverse's rows as they stand.
  return factors.map((row) => [0, 1, 2].map((j) => row.reduce((sum, value, i) => sum + value * cofactor(i, j), 0) / determinant))
}

/** Seeded numbers around 0 with a deviation near 1. */
function numbers(seed: number): () => number {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return () => (next() + next() + next() - 1.5) * 2
}
