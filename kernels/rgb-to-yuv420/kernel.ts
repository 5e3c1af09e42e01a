// RGB to YUV 4:2:0 for video encoders. reference.ts has the formula.
import { rgbToYuv420Cpu } from './cpu.ts'

/** `rgb`: [height, width, 3]. Resolves to the planes Y, U, V, yuv420Bytes long. Throws a RangeError when the length does not fit. */
export async function rgbToYuv420(rgb: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  if (rgb.length !== 3 * width * height) throw new RangeError(`rgb has ${rgb.length} bytes, ${width}x${height} needs ${3 * width * height}`)
  return rgbToYuv420Cpu(rgb, width, height)
}
