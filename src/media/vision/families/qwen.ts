// Qwen2-VL, Qwen2.5-VL and Qwen3-VL: any size in whole blocks of patches, within limits of pixels; one token a block.
import type { Eye, Family, Json, ModelFiles, Numbers } from '../family.ts'
import { clip, half, idOf, numbersOf, object, whole } from '../fields.ts'
import { type PixelLimits, smartResize } from '../smart-resize.ts'

interface Usual extends PixelLimits {
  patch: number
  norm: Pick<Numbers, 'mean' | 'std'>
  /** Of clips; of all their frames together, and with times in the prompt, or not. */
  clip: PixelLimits & { wholeClip: boolean }
}

/** What the processor's class has where the file is silent. */
const qwen2: Usual = {
  patch: 14,
  minPixels: 56 * 56,
  maxPixels: 28 * 28 * 1280,
  norm: clip,
  clip: { minPixels: 128 * 28 * 28, maxPixels: 768 * 28 * 28, wholeClip: false },
}
const qwen3: Usual = {
  patch: 16,
  minPixels: 256 * 256,
  maxPixels: 4096 * 4096,
  norm: half,
  clip: { minPixels: 128 * 32 * 32, maxPixels: 768 * 32 * 32, wholeClip: true },
}

export const qwenFamilies: readonly Family[] = [
  { name: 'qwen2_vl', title: 'Qwen2-VL', modelTypes: ['qwen2_vl'], eye: (files) => eye(files, qwen2) },
  { name: 'qwen2_5_vl', title: 'Qwen2.5-VL', modelTypes: ['qwen2_5_vl'], eye: (files) => eye(files, qwen2) },
  {
    name: 'qwen3_vl',
    title: 'Qwen3-VL',
    modelTypes: ['qwen3_vl', 'qwen3_vl_moe', 'qwen3_5', 'qwen3_5_moe'],
    eye: (files) => eye(files, qwen3),
  },
]

function eye(files: ModelFiles, usual: Usual): Eye {
  const { config, processor } = files
  const tower = object(config.vision_config)
  const patch = whole(processor.patch_size) ?? whole(tower.patch_size) ?? usual.patch
  const merge = whole(processor.merge_size) ?? whole(tower.spatial_merge_size) ?? 2
  const temporal = whole(processor.temporal_patch_size) ?? whole(tower.temporal_patch_size) ?? 2
  const limits = limitsOf(processor, usual)
  // Without a file of its own the clips' processor reads the pictures' one.
  const clipLimits = limitsOf(Object.keys(files.video).length === 0 ? processor : files.video, usual.clip)
  const { wholeClip } = usual.clip
  const imageTokenId = idOf(config, ['image_token_id'], files.tokenId('<|image_pad|>'))
  // Of Qwen3-VL too, whether or not its SGLang trips over a prompt that ends in it: there is none that has to.
  const startTokenId = whole(config.vision_start_token_id) ?? files.tokenId('<|vision_start|>')
  const numbers: Numbers = {
    ...numbersOf(files, { filter: 'bicubic', ...usual.norm }),
    order: { patch, merge, temporal },
    tiled: false,
  }
  return {
    imageTokenId,
    videoTokenId: idOf(config, ['video_token_id'], files.tokenId('<|video_pad|>') ?? imageTokenId + 1),
    ...(startTokenId === undefined ? {} : { startTokenId }),
    settings: { ...limits, ...numbers, clip: clipLimits },
    numbers,
    mostPatches: Math.floor(limits.maxPixels / patch ** 2),
    recipe({ width, height }, param) {
      const resized = smartResize(width, height, patch * merge, limits, param)
      const grid = [1, resized[0] / patch, resized[1] / patch] as const
      const canvas = { height: resized[0], width: resized[1] }
      return {
        plan: { resized, grid, tokens: (grid[1] * grid[2]) / (merge * merge) },
        parts: [{ resized: canvas, canvas, left: 0, top: 0 }],
      }
    },
    expand: ({ tokens }) => new Array<number>(tokens).fill(imageTokenId),
    clips: { ...clipLimits, factor: patch * merge, temporal, wholeClip, ...(wholeClip ? { marks: marksOf(files) } : {}) },
  }
}

/** Of SGLang's build_input_ids_with_timestamps: what stands around each group of frames. */
function marksOf({ config, tokenId }: ModelFiles): readonly [number, number] {
  return [
    idOf(config, ['vision_start_token_id'], tokenId('<|vision_start|>')),
    idOf(config, ['vision_end_token_id'], tokenId('<|vision_end|>')),
  ]
}

/** Both spellings: `min_pixels` and `max_pixels` at the top win over those in `size`, and over its edges, which are numbers of pixels too. */
function limitsOf(processor: Json, usual: PixelLimits): PixelLimits {
  const size = object(processor.size)
  const first = (...values: unknown[]) => values.map(whole).find((value) => value !== undefined)
  return {
    minPixels: first(processor.min_pixels, size.shortest_edge, size.min_pixels) ?? usual.minPixels,
    maxPixels: first(processor.max_pixels, size.longest_edge, size.max_pixels) ?? usual.maxPixels,
  }
}
