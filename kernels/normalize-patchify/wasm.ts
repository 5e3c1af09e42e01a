// normalize-patchify.wat at work: some blocks of patches at a time are made in its memory, where they stay in the cache, and copied out.
import { simd } from '../simd.ts'
import { blockRows } from './cpu.ts'
import { tableSize } from './levels.ts'
import type { PatchOrder } from './reference.ts'
import { normalizePatchifyWasm } from './wasm-bytes.ts'

type Cut = (source: number, stride: number, side: number, levels: number, out: number, channel: number, copies: number) => void

const room = simd<{ floats: Cut; quotients: Cut; bytes: Cut }>(normalizePatchifyWasm)

/** Patches that are made before they are copied out have about this many bytes. */
const bandBytes = 256 << 10

/** Whether a patch is small enough that several fit the cache; the others are for cpu.ts. */
export function fitsWasm({ patch, temporal }: PatchOrder): boolean {
  return 12 * temporal * patch * patch <= bandBytes / 2
}

/** As `patchRows` of cpu.ts. */
export function patchRowsSimd(
  frames: readonly Uint8Array[],
  order: PatchOrder,
  levels: Float32Array | undefined,
  out: Float32Array | Uint8Array,
  from: number,
  to: number,
): void {
  const { width, patch, merge, temporal } = order
  const rows = blockRows(order)
  const each = levels === undefined ? 1 : 4
  const plane = each * patch * patch
  const blockBytes = 3 * temporal * plane * merge * merge
  const across = width / (patch * merge)
  const atATime = Math.min(across, Math.max(1, Math.floor(bandBytes / blockBytes)))
  const stride = 3 * width
  const height = patch * merge
  const distinct = frames.length === 1 ? 1 : temporal
  const source = 4096
  const target = Math.ceil((source + distinct * height * stride) / 16) * 16
  const { run, bytes } = room(target + atATime * blockBytes)
  const reckons = levels !== undefined && levels.length > tableSize && patch >= 4 && temporal <= 2
  const cut = levels === undefined ? run.bytes : reckons ? run.quotients : run.floats
  const numbers = reckons ? 4 * tableSize : 0
  if (levels !== undefined) bytes.set(new Uint8Array(levels.buffer, levels.byteOffset, levels.byteLength))
  const outBytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength)
  for (let row = from; row < to; row++) {
    const group = Math.floor(row / rows)
    const start = (row % rows) * height * stride
    for (let time = 0; time < distinct; time++) {
      const frame = frames[distinct === 1 && frames.length === 1 ? 0 : group * temporal + time]!
      bytes.set(frame.subarray(start, start + height * stride), source + time * height * stride)
    }
    for (let block = 0; block < across; block += atATime) {
      const end = Math.min(block + atATime, across)
      let at = target
      for (let x = block * merge * patch; x < end * merge * patch; x += merge * patch) {
        for (let inY = 0; inY < merge; inY++) {
          for (let inX = 0; inX < merge; inX++, at += 3 * temporal * plane) {
            const pixel = source + inY * patch * stride + 3 * (x + inX * patch)
            if (distinct === 1) cut(pixel, stride, patch, numbers, at, temporal * plane, temporal - 1)
            else
              for (let time = 0; time < temporal; time++)
                cut(pixel + time * height * stride, stride, patch, numbers, at + time * plane, temporal * plane, 0)
          }
        }
      }
      outBytes.set(bytes.subarray(target, at), (row * across + block) * blockBytes)
    }
  }
}
