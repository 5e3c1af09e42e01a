// upscale.wat at work: the same arguments and bytes as cpu.ts; some rows at a time are copied in, each with its edge pixels
// repeated, and the new ones out.
import { simd } from '../simd.ts'
import { upscaleWasm } from './wasm-bytes.ts'

interface Exports {
  sharpen(above: number, row: number, below: number, stride: number, out: number): void
}

/** Bytes of rows that are copied at a time: about what a second-level cache holds. */
const bandBytes = 128 << 10
const room = simd<Exports>(upscaleWasm)

/** Rows [from, to). */
export function sharpenRowsSimd(rgb: Uint8Array, width: number, height: number, out: Uint8Array, from: number, to: number): void {
  const stride = 3 * width
  // Three bytes before the row, three after, and what a whole last block reads.
  const padded = stride + 3 + 3 + 16
  const rows = Math.max(1, Math.min(to - from, Math.floor(bandBytes / padded)))
  const target = (rows + 2) * padded
  const { run, bytes } = room(target + rows * stride + 16)
  for (let first = from; first < to; first += rows) {
    const band = Math.min(rows, to - first)
    for (let i = 0; i < band + 2; i++) {
      const y = Math.min(Math.max(first + i - 1, 0), height - 1)
      const at = i * padded + 3
      bytes.set(rgb.subarray(y * stride, (y + 1) * stride), at)
      bytes.copyWithin(at - 3, at, at + 3)
      bytes.copyWithin(at + stride, at + stride - 3, at + stride)
    }
    for (let i = 0; i < band; i++) {
      const row = (i + 1) * padded + 3
      run.sharpen(row - padded, row, row + padded, stride, target + i * stride)
    }
    out.set(bytes.subarray(target, target + band * stride), first * stride)
  }
}
