// Does what a recipe says: a picture becomes the rows that a vision tower reads.
import { normalizePatchify, patchifyBytes } from '../../../kernels/normalize-patchify/kernel.ts'
import { levelsOf } from '../../../kernels/normalize-patchify/levels.ts'
import { resizeVision } from '../../../kernels/resize-bicubic/kernel.ts'
import type { Size } from '../../../kernels/resize-bicubic/reference.ts'
import { giveBack } from '../../../kernels/spare.ts'
import { tilesBicubic } from '../../../kernels/tiles-bicubic/kernel.ts'
import { byCrew } from './crew/use.ts'
import type { Numbers, Part, Recipe } from './family.ts'
import type { Backend, BytePatches, Patches } from './vision.ts'

/** `rgb`: [height, width, 3]. */
export async function preprocess(rgb: Uint8Array, size: Size, recipe: Recipe, numbers: Numbers, backend: Backend): Promise<Patches> {
  const made = numbers.interpolated
    ? await interpolated(rgb, size, recipe, numbers)
    : await resized(rgb, size, recipe, numbers, backend, levelsFor(numbers, backend))
  const values = joined(made.map((part) => part.values as Float32Array))
  const canvases = made.flatMap((part) => part.canvas ?? [])
  const pixels = canvases.length === 0 ? undefined : joined(canvases)
  return {
    values,
    ...about(values.length, recipe, numbers),
    ...(pixels === undefined ? {} : { pixels }),
    // A picture that already had the right size is the caller's own.
    release: giveBackOnce([values, ...(pixels === undefined || pixels === rgb ? [] : [pixels])]),
  }
}

/** The same rows as bytes, and the table for them. */
export async function preprocessBytes(
  rgb: Uint8Array,
  size: Size,
  recipe: Recipe,
  numbers: Numbers,
  backend: Backend,
): Promise<BytePatches> {
  const made = await resized(rgb, size, recipe, numbers, backend, undefined)
  for (const { canvas } of made) if (canvas !== undefined && canvas !== rgb) giveBack(canvas)
  const bytes = joined(made.map((part) => part.values as Uint8Array))
  return { bytes, levels: levelsFor(numbers, backend), ...about(bytes.length, recipe, numbers), release: giveBackOnce([bytes]) }
}

function levelsFor(numbers: Numbers, backend: Backend): Float32Array {
  return levelsOf(numbers, numbers.bf16 ? 'torch_bf16' : backend === 'pil' ? 'pil' : 'torch')
}

function about(samples: number, { plan }: Recipe, { order: { patch, temporal }, tiled }: Numbers) {
  const rows = samples / (3 * temporal * patch * patch)
  return { shape: tiled ? [rows, 3, patch, patch] : [rows, 3 * temporal * patch * patch], grid: plan.grid, tokens: plan.tokens }
}

function giveBackOnce(arrays: readonly (Float32Array | Uint8Array)[]): () => void {
  let done = false
  return () => {
    if (!done) for (const array of arrays) giveBack(array)
    done = true
  }
}

interface Made {
  values: Float32Array | Uint8Array
  canvas?: Uint8Array
}

/** `levels` absent: bytes as they are. */
async function resized(
  rgb: Uint8Array,
  size: Size,
  { parts, pad }: Recipe,
  numbers: Numbers,
  backend: Backend,
  levels: Float32Array | undefined,
): Promise<Made[]> {
  const together = await byCrew(rgb, size, parts, numbers, backend, levels)
  if (together !== undefined) return [together]
  const [picture, pictureSize] = pad === undefined ? [rgb, size] : padToSquare(rgb, size, pad)
  const made: Made[] = []
  for (const part of parts) {
    const canvas = lay(await resizeVision(picture, pictureSize, part.resized, numbers.filter, backend), part)
    const order = { ...part.canvas, ...numbers.order }
    const values = levels === undefined ? await patchifyBytes([canvas], order) : await normalizePatchify([canvas], order, levels)
    made.push({ canvas, values })
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
