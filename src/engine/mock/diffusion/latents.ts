// Latents that look like a given picture: the smallest ones whose preview (kernels/latent-preview) has its colours, under noise that fades.
import { factorsOf } from '../../../../kernels/latent-preview/factors.ts'
import type { Latents } from '../../diffusion/diffusion.ts'

const scale = 8

/** `left` is the part of the noise that is still there: 1 at the start, 0 in the finished picture. */
export function latentsOf(rgb: Uint8Array, width: number, height: number, family: Latents['family'], left: number, seed: number): Latents {
  const { factors, bias } = factorsOf[family]
  const w = Math.max(1, Math.floor(width / scale))
  const h = Math.max(1, Math.floor(height / scale))
  const channels = factors.length
  const data = new Float32Array(channels * w * h)
  const inverse = rightInverse(factors)
  const noise = numbers(seed)
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const target = meanColour(rgb, width, height, x * scale, y * scale)
      for (let channel = 0; channel < channels; channel++) {
        let value = 0
        for (let c = 0; c < 3; c++) value += inverse[channel]![c]! * ((target[c]! / 255) * 2 - 1 - bias[c]!)
        data[(channel * h + y) * w + x] = value * (1 - left) + noise() * left
      }
    }
  }
  return { family, data, channels, width: w, height: h }
}

function meanColour(rgb: Uint8Array, width: number, height: number, left: number, top: number): number[] {
  const sums = [0, 0, 0]
  let pixels = 0
  for (let y = top; y < Math.min(height, top + scale); y++) {
    for (let x = left; x < Math.min(width, left + scale); x++, pixels++) {
      for (let c = 0; c < 3; c++) sums[c]! += rgb[(y * width + x) * 3 + c]!
    }
  }
  return sums.map((sum) => sum / Math.max(1, pixels))
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
