// Does what a recipe says: a picture becomes the rows that a vision tower reads.
import { normalizePatchify } from '../../../kernels/normalize-patchify/kernel.ts'
import { levelsOf } from '../../../kernels/normalize-patchify/levels.ts'
import { resizeVision } from '../../../kernels/resize-bicubic/kernel.ts'
import { giveBack } from '../../../kernels/spare.ts'
import { tilesBicubic } from '../../../kernels/tiles-bicubic/kernel.ts'
import { byCrew } from './crew/use.ts'
import type { Numbers, Part, Recipe, Size } from './family.ts'
import type { Backend, Patches } from './vision.ts'

/** `rgb`: [height, width, 3]. */
export async function preprocess(rgb: Uint8Array, size: Size, recipe: Recipe, numbers: Numbers, backend: Backend): Promise<Patches> {
  const { patch, temporal } = numbers.order
  const made = numbers.interpolated
    ? await interpolated(rgb, size, recipe, numbers)
    : await resized(...(recipe.pad === undefined ? ([rgb, size] as const) : padToSquare(rgb, size, recipe.pad)), recipe, numbers, backend)
  const values = joined(made.map((part) => part.values))
  const canvases = made.flatMap((part) => part.canvas ?? [])
  const pixels = canvases.length === 0 ? undefined : joined(canvases)
  let released = false
  const rows = values.length / (3 * temporal * patch * patch)
  return {
    values,
    shape: numbers.tiled ? [rows, 3, patch, patch] : [rows, 3 * temporal * patch * patch],
    grid: recipe.plan.grid,
    tokens: recipe.plan.tokens,
    ...(pixels === undefined ? {} : { pixels }),
    release() {
      if (released) return
      released = true
      giveBack(values)
      // A picture that already had the right size is the caller's own.
      if (pixels !== undefined && pixels !== rgb) giveBack(pixels)
    },
  }
}

interface Made {
  values: Float32Array
  canvas?: Uint8Array
}

async function resized(rgb: Uint8Array, size: Size, { parts }: Recipe, numbers: Numbers, backend: Backend): Promise<Made[]> {
  const together = await byCrew(rgb, size, parts, numbers, backend)
  if (together !== undefined) return [together]
  const levels = levelsOf(numbers, numbers.bf16 ? 'torch_bf16' : backend === 'pil' ? 'pil' : 'torch')
  const made: Made[] = []
  for (const part of parts) {
    const canvas = lay(await resizeVision(rgb, size, part.resized, numbers.filter, backend), part)
    made.push({ canvas, values: await normalizePatchify([canvas], { ...part.canvas, ...numbers.order }, levels) })
  }
  return made
}

async function interpolated(rgb: Uint8Array, size: Size, { parts }: Recipe, numbers: Numbers): Promise<Made[]> {
  const levels = levelsOf(numbers, 'divided')
  const tile = numbers.order.patch
  const made: Made[] = []
  for (const { canvas } of parts) {
    const tiling = { ...size, tile, rows: canvas.height / tile, columns: canvas.width / tile }
    made.push({ values: await tilesBicubic(rgb, tiling, levels) })
  }
  return made
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

function joined<T extends Float32Array | Uint8Array>(list: readonly T[]): T {
  if (list.length === 1) return list[0]!
  const length = list.reduce((sum, one) => sum + one.length, 0)
  const out = new (list[0]!.constructor as new (length: number) => T)(length)
  let at = 0
  for (const one of list) {
    out.set(one, at)
    at += one.length
  }
  return out
}
