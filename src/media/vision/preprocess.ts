// Does what a recipe says: a picture becomes the rows that a vision tower reads.

import { normalizePatchify } from '../../../kernels/normalize-patchify/kernel.ts'
import { levelsOf } from '../../../kernels/normalize-patchify/levels.ts'
import { resizeVision } from '../../../kernels/resize-bicubic/kernel.ts'
import type { Numbers, Part, Recipe, Size } from './family.ts'
import type { Backend, Patches } from './vision.ts'

/** `rgb`: [height, width, 3]. */
export async function preprocess(rgb: Uint8Array, size: Size, recipe: Recipe, numbers: Numbers, backend: Backend): Promise<Patches> {
  const [picture, pictureSize] = recipe.pad === undefined ? [rgb, size] : padToSquare(rgb, size, recipe.pad)
  const { plan } = recipe
  const levels = levelsOf(numbers, numbers.bf16 ? 'torch_bf16' : backend === 'pil' ? 'pil' : 'torch')
  const all: { canvas: Uint8Array; values: Float32Array }[] = []
  for (const part of recipe.parts) {
    const resized = await resizeVision(picture, pictureSize, part.resized, numbers.filter, backend)
    const canvas = lay(resized, part)
    all.push({ canvas, values: await normalizePatchify([canvas], { ...part.canvas, ...numbers.order }, levels) })
  }
  const values =
    all.length === 1
      ? all[0]!.values
      : joined(
          new Float32Array(total(all.map((one) => one.values))),
          all.map((one) => one.values),
        )
  const pixels =
    all.length === 1
      ? all[0]!.canvas
      : joined(
          new Uint8Array(total(all.map((one) => one.canvas))),
          all.map((one) => one.canvas),
        )
  const { patch, temporal } = numbers.order
  const rows = values.length / (3 * temporal * patch * patch)
  const shape = numbers.tiled ? [rows, 3, patch, patch] : [rows, 3 * temporal * patch * patch]
  return { values, shape, grid: plan.grid, tokens: plan.tokens, pixels }
}

function padToSquare(rgb: Uint8Array, { width, height }: Size, colour: readonly [number, number, number]): [Uint8Array, Size] {
  const side = Math.max(width, height)
  const out = new Uint8Array(3 * side * side)
  for (let i = 0; i < out.length; i++) out[i] = colour[i % 3]!
  const [left, top] = [(side - width) >> 1, (side - height) >> 1]
  for (let y = 0; y < height; y++) out.set(rgb.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((y + top) * side + left))
  return [out, { width: side, height: side }]
}

function lay(rgb: Uint8Array, { resized, canvas, left, top }: Part): Uint8Array {
  if (resized.width === canvas.width && resized.height === canvas.height) return rgb
  const out = new Uint8Array(3 * canvas.width * canvas.height)
  const [fromX, toX] = [Math.max(left, 0), Math.min(left + resized.width, canvas.width)]
  for (let y = Math.max(top, 0); y < Math.min(top + resized.height, canvas.height); y++) {
    const row = (y - top) * resized.width
    out.set(rgb.subarray(3 * (row + fromX - left), 3 * (row + toX - left)), 3 * (y * canvas.width + fromX))
  }
  return out
}

function total(list: readonly { length: number }[]): number {
  return list.reduce((sum, one) => sum + one.length, 0)
}

function joined<T extends Float32Array | Uint8Array>(out: T, list: readonly T[]): T {
  let at = 0
  for (const one of list) {
    out.set(one, at)
    at += one.length
  }
  return out
}
