// The same as reference.ts with typed arrays, a row of blocks at a time.
import type { PatchOrder } from './reference.ts'

/** Rows of blocks in one group of frames. */
export function blockRows({ height, patch, merge }: PatchOrder): number {
  return height / (patch * merge)
}

/** Block rows [from, to), counted over all groups of frames, into `out`: [patches, 3 × temporal × patch × patch]. `levels` absent: bytes as they are. */
export function patchRows(
  frames: readonly Uint8Array[],
  order: PatchOrder,
  levels: Float32Array | undefined,
  out: Float32Array | Uint8Array,
  from: number,
  to: number,
): void {
  const { width, patch, merge, temporal } = order
  const rows = blockRows(order)
  const area = patch * patch
  const table = levels ?? identity
  let at = from * (width / patch) * merge * 3 * temporal * area
  for (let row = from; row < to; row++) {
    const group = Math.floor(row / rows)
    for (let blockX = 0; blockX < width / patch; blockX += merge) {
      for (let inY = 0; inY < merge; inY++) {
        for (let inX = 0; inX < merge; inX++) {
          const top = ((row % rows) * merge + inY) * patch
          const left = (blockX + inX) * patch
          for (let channel = 0; channel < 3; channel++) {
            for (let time = 0; time < temporal; time++, at += area) {
              if (time > 0 && frames.length === 1) {
                out.copyWithin(at, at - area, at)
                continue
              }
              const frame = frames.length === 1 ? frames[0]! : frames[group * temporal + time]!
              let to = at
              for (let y = 0; y < patch; y++) {
                let source = 3 * ((top + y) * width + left) + channel
                for (let x = 0; x < patch; x++, source += 3) out[to++] = table[256 * channel + frame[source]!]!
              }
            }
          }
        }
      }
    }
  }
}

const identity = Uint16Array.from({ length: 768 }, (_, i) => i % 256)
