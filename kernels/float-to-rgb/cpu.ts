// The same as reference.ts without branches: a store into Uint8ClampedArray rounds, so the cut is made before it.

import type { SampleRange } from './reference.ts'

const fround = Math.fround

/** Pixels [from, to) of frame `frame`. */
export function floatToRgbPixels(
  planes: Float32Array,
  pixels: number,
  range: SampleRange,
  out: Uint8Array,
  frame: number,
  from: number,
  to: number,
): void {
  const start = 3 * frame * pixels
  const clamped = new Uint8ClampedArray(out.buffer, out.byteOffset, out.length)
  for (let channel = 0; channel < 3; channel++) {
    const plane = planes.subarray(start + channel * pixels, start + (channel + 1) * pixels)
    let at = start + channel + 3 * from
    if (range === 'unit') for (let i = from; i < to; i++, at += 3) clamped[at] = Math.trunc(fround(plane[i]! * 255))
    else for (let i = from; i < to; i++, at += 3) clamped[at] = Math.trunc(fround(fround(fround(plane[i]! / 2) + 0.5) * 255))
  }
}
