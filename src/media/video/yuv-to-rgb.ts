// YUV 4:2:0 back to RGB, for formats that want RGB (JPEG, WebP): the inverse of kernels/rgb-to-yuv420, with chroma of the nearest sample.

/** `yuv`: planes Y, U, V of BT.709 limited range, both sizes even. Returns [height, width, 3]. */
export function yuv420ToRgb(yuv: Uint8Array, width: number, height: number): Uint8Array {
  const rgb = new Uint8ClampedArray(width * height * 3)
  const half = width >> 1
  const uPlane = width * height
  const vPlane = uPlane + half * (height >> 1)
  // BT.709 with 219 steps of luma and 224 of chroma, times 2^16. The clamped array takes what overshoots; >> rounds after the half is added.
  for (let y = 0, at = 0; y < height; y++) {
    const chromaRow = (y >> 1) * half
    for (let x = 0; x < width; x++, at += 3) {
      const luma = (yuv[y * width + x]! - 16) * 76309 + 32768
      const u = yuv[uPlane + chromaRow + (x >> 1)]! - 128
      const v = yuv[vPlane + chromaRow + (x >> 1)]! - 128
      rgb[at] = (luma + 117489 * v) >> 16
      rgb[at + 1] = (luma - 13975 * u - 34925 * v) >> 16
      rgb[at + 2] = (luma + 138438 * u) >> 16
    }
  }
  return new Uint8Array(rgb.buffer)
}
