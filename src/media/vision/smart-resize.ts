// Qwen's rule for the size of a picture: both sides whole blocks, the number of pixels between two limits, the shape kept as well as that allows
// (Qwen2-VL, arXiv 2409.12191 §2.1; the roundings are those of its processor).
import { AppError } from '../../lib/errors.ts'

/** Sides may differ by this factor at most. */
const steepest = 200

export interface PixelLimits {
  /** Of a picture after resizing. */
  minPixels: number
  maxPixels: number
}

/** `factor`: side of a block. Returns height and width. Throws `invalid_image` naming `param` where one side is more than 200 times the other. */
export function smartResize(width: number, height: number, factor: number, limits: PixelLimits, param: string): [number, number] {
  checkShape(width, height, param)
  const rounded: [number, number] = [halfToEven(height / factor) * factor, halfToEven(width / factor) * factor]
  const pixels = rounded[0] * rounded[1]
  if (pixels > limits.maxPixels) {
    const shrink = Math.sqrt((height * width) / limits.maxPixels)
    return [height, width].map((side) => Math.max(factor, Math.floor(side / shrink / factor) * factor)) as [number, number]
  }
  if (pixels < limits.minPixels) {
    const grow = Math.sqrt(limits.minPixels / (height * width))
    return [height, width].map((side) => Math.ceil((side * grow) / factor) * factor) as [number, number]
  }
  return rounded
}

export function checkShape(width: number, height: number, param: string): void {
  const ratio = Math.max(width, height) / Math.min(width, height)
  if (ratio <= steepest) return
  throw new AppError('invalid_image', {
    param,
    message: `The image at ${param} is ${width}x${height}; its longer side may be at most ${steepest} times the shorter one.`,
  })
}

/** Python's round(). */
export function halfToEven(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low
}
