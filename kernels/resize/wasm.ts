// resize.wat at work: the same arguments and bytes as cpu.ts; some rows at a time are copied in, and the new ones out.
import { simd } from '../simd.ts'
import type { Taps } from './taps.ts'
import { resizeWasm } from './wasm-bytes.ts'

interface Exports {
  across(source: number, offsets: number, weights: number, count: number, size: number, out: number): void
  down(source: number, stride: number, weights: number, count: number, out: number): void
}

/** Bytes of rows that are copied at a time: about what a second-level cache holds. */
const bandBytes = 256 << 10
const room = simd<Exports>(resizeWasm)

/** Rows [from, to) of `rgb`, each to `outWidth` pixels. */
export function resizeAcrossSimd(
  rgb: Uint8Array,
  width: number,
  taps: Taps,
  out: Uint8ClampedArray,
  outWidth: number,
  from: number,
  to: number,
): void {
  const { count, first, weights } = taps
  const [stride, outStride] = [3 * width, 3 * outWidth]
  const rows = Math.max(1, Math.min(to - from, Math.floor(bandBytes / (stride + outStride))))
  const weightsAt = 4 * outWidth
  const source = weightsAt + 4 * weights.length
  const target = source + rows * stride + 3 * count + 16
  const { run, bytes, words } = room(target + rows * outStride + 16)
  words.set(weights, weightsAt / 4)
  for (let x = 0; x < outWidth; x++) words[x] = 3 * first[x]!
  for (let row = from; row < to; row += rows) {
    const band = Math.min(rows, to - row)
    bytes.set(rgb.subarray(row * stride, (row + band) * stride), source)
    for (let i = 0; i < band; i++) run.across(source + i * stride, 0, weightsAt, count, outWidth, target + i * outStride)
    out.set(bytes.subarray(target, target + band * outStride), row * outStride)
  }
}

/** New rows [from, to) of `stride` bytes, out of `height` rows. */
export function resizeDownSimd(
  wide: Uint8ClampedArray,
  stride: number,
  height: number,
  taps: Taps,
  out: Uint8ClampedArray,
  from: number,
  to: number,
): void {
  const { count, first, weights } = taps
  const padded = Math.ceil(stride / 16) * 16
  const source = Math.ceil(weights.length / 4) * 16
  const linesAtATime = Math.max(1, Math.floor(bandBytes / padded))
  for (let row = from; row < to; ) {
    const low = first[row]!
    // As many new rows as the band's source rows make.
    let end = row + 1
    while (end < to && first[end]! + count - low <= Math.max(linesAtATime, count)) end++
    const lines = Math.min(first[end - 1]! + count, height) - low
    const target = source + (first[end - 1]! + count - low) * padded
    const { run, bytes, words } = room(target + (end - row) * padded)
    words.set(weights.subarray(row * count, end * count))
    for (let i = 0; i < lines; i++) bytes.set(wide.subarray((low + i) * stride, (low + i + 1) * stride), source + i * padded)
    for (let y = row; y < end; y++)
      run.down(source + (first[y]! - low) * padded, padded, 4 * (y - row) * count, count, target + (y - row) * padded)
    for (let y = row; y < end; y++) out.set(bytes.subarray(target + (y - row) * padded, target + (y - row) * padded + stride), y * stride)
    row = end
  }
}
