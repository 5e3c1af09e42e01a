// rgb-to-yuv420.wat as a running WebAssembly instance: made on first use, one for the process. Rows are copied in and planes out, some rows at a time.
import { rgbToYuv420Rows } from './cpu.ts'
import { rgbToYuv420Wasm } from './wasm-bytes.ts'

interface Instance {
  memory: WebAssembly.Memory
  rows(rgb: number, width: number, blocks: number, pairs: number, y: number, u: number, v: number): void
}

const page = 65_536
/** Row pairs at a time: their bytes stay in the second-level cache. */
const pairsAtATime = 8
let running: Instance | undefined
let bytes = new Uint8Array(0)

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
  const { rows } = room(v + count * chromaWidth)
  bytes.set(rgb.subarray(6 * y * width, 6 * y * width + luma))
  rows(0, width, blocks, count, luma, u, v)
  const plane = width * height
  const at = plane + y * chromaWidth
  out.set(bytes.subarray(luma, u), 2 * y * width)
  out.set(bytes.subarray(u, v), at)
  out.set(bytes.subarray(v, v + count * chromaWidth), at + chromaWidth * ((height + 1) >> 1))
}

/** The instance with at least so many bytes, and 16 more that a store may touch. */
function room(size: number): Instance {
  running ??= new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(rgbToYuv420Wasm))).exports as unknown as Instance
  const missing = size + 16 - running.memory.buffer.byteLength
  if (missing > 0) running.memory.grow(Math.ceil(missing / page))
  if (bytes.buffer !== running.memory.buffer) bytes = new Uint8Array(running.memory.buffer)
  return running
}
