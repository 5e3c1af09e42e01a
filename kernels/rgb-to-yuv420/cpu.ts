// The same as reference.ts with typed arrays: two rows at a time, each byte of RGB read once for luma and once for chroma.

/** Rows [from, to) of chroma and the luma rows they stand for, from column `first` (even) on; all of them make the whole of `out`. */
export function rgbToYuv420Rows(
  rgb: Uint8Array,
  width: number,
  height: number,
  out: Uint8Array,
  from: number,
  to: number,
  first = 0,
): void {
  const chromaWidth = (width + 1) >> 1
  const stride = 3 * width
  const uPlane = width * height
  const vPlane = uPlane + chromaWidth * ((height + 1) >> 1)
  for (let y = from; y < to; y++) {
    const top = 2 * y
    const second = top + 1 < height ? stride : 0
    for (let row = top; row < Math.min(top + 2, height); row++) lumaRow(rgb, row * stride, first, width, out, row * width)
    // Sums over the two rows of the column left of the pair; at the edge the first column itself.
    let at = top * stride + 3 * first
    const before = at - (first > 0 ? 3 : 0)
    let leftR = rgb[before]! + rgb[before + second]!
    let leftG = rgb[before + 1]! + rgb[before + second + 1]!
    let leftB = rgb[before + 2]! + rgb[before + second + 2]!
    let to = y * chromaWidth + (first >> 1)
    for (let x = first; x < width; x += 2, at += 6, to++) {
      const low = at + second
      const next = x + 1 < width ? 3 : 0
      const rightR = rgb[at + next]! + rgb[low + next]!
      const rightG = rgb[at + next + 1]! + rgb[low + next + 1]!
      const rightB = rgb[at + next + 2]! + rgb[low + next + 2]!
      const r = leftR + 2 * (rgb[at]! + rgb[low]!) + rightR
      const g = leftG + 2 * (rgb[at + 1]! + rgb[low + 1]!) + rightG
      const b = leftB + 2 * (rgb[at + 2]! + rgb[low + 2]!) + rightB
      out[uPlane + to] = (14392 * b - 3298 * r - 11094 * g + 33685504) >> 18
      out[vPlane + to] = (14392 * r - 13072 * g - 1320 * b + 33685504) >> 18
      leftR = rightR
      leftG = rightG
      leftB = rightB
    }
  }
}

function lumaRow(rgb: Uint8Array, row: number, first: number, width: number, out: Uint8Array, to: number): void {
  for (let x = first, at = row + 3 * first; x < width; x++, at += 3) {
    out[to + x] = (5983 * rgb[at]! + 20127 * rgb[at + 1]! + 2032 * rgb[at + 2]! + 540672) >> 15
  }
}
