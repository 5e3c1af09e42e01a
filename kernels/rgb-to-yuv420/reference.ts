// RGB to YUV 4:2:0 in whole numbers: the meaning, which every faster way must equal byte for byte.
//
// BT.709, limited range (Y 16 to 235, chroma 16 to 240), coefficients times 2^15:
//   Y  = ( 5983 R + 20127 G +  2032 B                 +  16 * 2^15 + 2^14) >> 15
//   Cb = (-3298 r - 11094 g + 14392 b                 + 128 * 2^18 + 2^17) >> 18
//   Cr = (14392 r - 13072 g -  1320 b                 + 128 * 2^18 + 2^17) >> 18
// r, g, b are the sums over 2 rows and 3 columns around an even pixel with weights 1 2 1 (together 8): the chroma sample then lies where H.264,
// VP9 and AV1 players put it by default, on the left pixel of its pair and between the two rows. Pixels beyond an edge repeat it.

/** Coefficients of R, G and B; with 2^14 to round, 15 bits are cut off. A grey pixel gives chroma 128 exactly. */
export const luma = [5983, 20127, 2032] as const
export const blueDifference = [-3298, -11094, 14392] as const
export const redDifference = [14392, -13072, -1320] as const

/** Bytes of the planes Y, U, V, in this order; chroma of an odd size is rounded up. */
export function yuv420Bytes(width: number, height: number): number {
  return width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2)
}

/** `rgb`: [height, width, 3]. Returns the planes Y, U, V one after another. */
export function rgbToYuv420Plain(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const chromaWidth = Math.ceil(width / 2)
  const chromaHeight = Math.ceil(height / 2)
  const out = new Uint8Array(yuv420Bytes(width, height))
  for (let pixel = 0; pixel < width * height; pixel++) {
    out[pixel] = (dot(luma, rgb[3 * pixel]!, rgb[3 * pixel + 1]!, rgb[3 * pixel + 2]!) + (16 << 15) + (1 << 14)) >> 15
  }
  for (let y = 0; y < chromaHeight; y++) {
    for (let x = 0; x < chromaWidth; x++) {
      const sums = [0, 0, 0]
      for (const row of [2 * y, Math.min(2 * y + 1, height - 1)]) {
        for (const [column, weight] of [
          [Math.max(2 * x - 1, 0), 1],
          [2 * x, 2],
          [Math.min(2 * x + 1, width - 1), 1],
        ] as const) {
          for (let channel = 0; channel < 3; channel++) sums[channel]! += weight * rgb[3 * (row * width + column) + channel]!
        }
      }
      const at = width * height + y * chromaWidth + x
      out[at] = chroma(blueDifference, sums)
      out[at + chromaWidth * chromaHeight] = chroma(redDifference, sums)
    }
  }
  return out
}

function dot(c: readonly [number, number, number], r: number, g: number, b: number): number {
  return c[0] * r + c[1] * g + c[2] * b
}

function chroma(c: readonly [number, number, number], sums: readonly number[]): number {
  return (dot(c, sums[0]!, sums[1]!, sums[2]!) + (128 << 18) + (1 << 17)) >> 18
}
