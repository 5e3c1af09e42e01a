// rgb-to-yuv420.wat at work. Rows are copied in and planes out, some rows at a time.
import { simd } from '../simd.ts'
import { rgbToYuv420Rows } from './cpu.ts'
import { rgbToYuv420Wasm } from './wasm-bytes.ts'

interface Exports {
  rows(rgb: number, width: number, blocks: number, pairs: number, y: number, u: number, v: number): void
}

/** Row pairs at a time: their bytes stay in the second-level cache. */
const pairsAtATime = 8
const room = simd<Exports>(rgbToYuv420Wasm)

/** Makes `rgbToYuv420Rows` of cpu.ts fast; the same arguments and the same bytes. */
export function rgbToYuv420Simd(rgb: Uint8Array, width: number, height: number, out: Uint8Array, from: number, to: number): void {
  const blocks = width >> 4
  const whole = Math.min(to, height >> 1)
  for (let y = from; y < whole && blocks > 0; y += pairsAtATime) {
    pairs(rgb, width, height, out, y, Math.min(pairsAtATime, whole - y), blocks)
  }
  if (blocks === 0 || width % 16 !== 0) rgbToYuv420Rows(rgb, width, height, out, from, whole, 16 * blocks)
  if (to > whole) rgbToYuv420Rows(rgb, width, height, out, Math.max(from, whole), to)
}

function pairs(rgb: Uint8Array, width: number, height: number, out: Uint8Array, y: number, count: number, blocks: number): void {
  const chromaWidth = (width + 1) >> 1
  const pixels = 2 * count * width
  const luma = 3 * pixels
  const u = luma + pixels
  const v = u + count * chromaWidth
  const { run, bytes } = room(v + count * chromaWidth + 16)
  bytes.set(rgb.subarray(6 * y * width, 6 * y * width + luma))
  run.rows(0, width, blocks, count, luma, u, v)
  const plane = width * height
  const at = plane + y * chromaWidth
  out.set(bytes.subarray(luma, u), 2 * y * width)
  out.set(bytes.subarray(u, v), at)
  out.set(bytes.subarray(v, v + count * chromaWidth), at + chromaWidth * ((height + 1) >> 1))
}
