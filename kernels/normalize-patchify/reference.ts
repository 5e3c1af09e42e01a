// Pictures cut into patches and their bytes turned into normalised numbers: patches of a merged block stand together (block row, block column, row in the
// block, column in the block), and inside a patch the order is channel, frame, y, x. Without merging and with patches as large as a tile this is also the
// order of tiles: [tiles, 3, height, width].

export interface PatchOrder {
  width: number
  height: number
  /** Side of a square patch; `width` and `height` are multiples of `patch` × `merge`. */
  patch: number
  /** Patches that become one token, along each axis. */
  merge: number
  /** Frames in a patch. A single picture is repeated; of a clip each patch has as many following frames. */
  temporal: number
}

/**
 * `frames`: each [height, width, 3]; one, or a multiple of `temporal`. `levels`: at least [3, 256], what a byte of each channel becomes. Returns
 * [patches, 3 × temporal × patch × patch].
 */
export function normalizePatchifyPlain(frames: readonly Uint8Array[], order: PatchOrder, levels: Float32Array): Float32Array {
  const { width, height, patch, merge, temporal } = order
  const out: number[] = []
  for (let group = 0; group < Math.max(1, frames.length / temporal); group++) {
    for (let blockY = 0; blockY < height / (patch * merge); blockY++) {
      for (let blockX = 0; blockX < width / (patch * merge); blockX++) {
        for (let inY = 0; inY < merge; inY++) {
          for (let inX = 0; inX < merge; inX++) {
            for (let channel = 0; channel < 3; channel++) {
              for (let time = 0; time < temporal; time++) {
                const frame = frames.length === 1 ? frames[0]! : frames[group * temporal + time]!
                for (let y = (blockY * merge + inY) * patch, endY = y + patch; y < endY; y++) {
                  for (let x = (blockX * merge + inX) * patch, endX = x + patch; x < endX; x++) {
                    out.push(levels[256 * channel + frame[3 * (y * width + x) + channel]!]!)
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  return Float32Array.from(out)
}
