// Real pictures for the tiny vision models, and SGLang's arguments for them.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { MediaItem } from '../../src/engine/types.ts'
import { imageCodec } from '../../src/media/image/codec.ts'
import type { VisionModel } from '../../src/media/vision/vision.ts'
import { cpuArgs } from './sglang.ts'

export const tinyVl = join(import.meta.dir, '../../models/tiny-vl')

/** Qwen2.5-VL's patches and their 2 × 2 merging, as models/tiny-vl has them. */
const patch = 14

/** A PNG of noise that is the same for the same seed; sides that are multiples of 28 are not resized. */
export async function noisePicture(seed: number, width: number, height: number): Promise<MediaItem> {
  const sharp = await imageCodec()
  const pixels = new Uint8Array(width * height * 3).map((_, i) => (i * 7 + seed * 31 + Math.floor(i / 97) * seed) & 255)
  const file = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
  return {
    kind: 'image',
    file,
    contentType: 'image/png',
    hash: createHash('sha256').update(file).digest('hex'),
    width,
    height,
    grid: [1, height / patch, width / patch],
    offset: 0,
    tokens: (height * width) / (2 * patch) ** 2,
    placeholder: 1022,
    single: 1022,
  }
}

/** As much of a vision model as a gateway asks for: patches of 14 pixels, 2 × 2 of them a row, nothing resized. */
export const gridModel = (imageTokenId = 1022) =>
  ({
    imageTokenId,
    plan: (width: number, height: number) => ({
      resized: [height, width],
      grid: [1, height / patch, width / patch],
      tokens: (width * height) / (2 * patch) ** 2,
    }),
  }) as unknown as VisionModel

/** float32, so that answers can be compared to the bit. */
export function vlArgs(model = tinyVl): string[] {
  return [...cpuArgs(model), '--mm-attention-backend', 'sdpa', '--page-size', '16', '--dtype', 'float32']
}
