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

/** All frames in one go. */
export function floatToRgbCpu(planes: Float32Array, width: number, height: number, range: SampleRange): Uint8Array {
  const pixels = width * height
  const out = new Uint8Array(planes.length)
  for (let frame = 0; frame < planes.length / (3 * pixels); frame++) floatToRgbPixels(planes, pixels, range, out, frame, 0, pixels)
  return out
}
