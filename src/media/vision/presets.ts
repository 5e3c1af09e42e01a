// Models as their published files have them, for `preprocess` without a model folder.
import type { Json } from './family.ts'

const qwen2 = { model_type: 'qwen2_5_vl', image_token_id: 151655, video_token_id: 151656, vision_config: { patch_size: 14 } }
const llava = { model_type: 'llava', image_token_index: 32000, vision_config: { image_size: 336, patch_size: 14 } }
const clip336 = { size: { shortest_edge: 336 }, crop_size: { height: 336, width: 336 } }

export interface Preset {
  /** What a folder's family may be under this name. */
  families: readonly string[]
  config: Json & { model_type: string }
  processor: Json
}

export const presets = {
  qwen2vl: { families: ['qwen2_vl', 'qwen2_5_vl'], config: qwen2, processor: { min_pixels: 3136, max_pixels: 12_845_056 } },
  qwen2vl_max100k: { families: ['qwen2_vl', 'qwen2_5_vl'], config: qwen2, processor: { min_pixels: 3136, max_pixels: 100_352 } },
  qwen3vl: {
    families: ['qwen3_vl'],
    config: {
      model_type: 'qwen3_vl',
      image_token_id: 151655,
      video_token_id: 151656,
      vision_start_token_id: 151652,
      vision_end_token_id: 151653,
      vision_config: { patch_size: 16 },
    },
    processor: { size: { shortest_edge: 65_536, longest_edge: 16_777_216 }, patch_size: 16 },
  },
  clip336: { families: ['llava'], config: llava, processor: clip336 },
  llava: { families: ['llava'], config: llava, processor: clip336 },
  llava_pad: { families: ['llava'], config: llava, processor: { ...clip336, do_pad: true } },
  gemma3: {
    families: ['gemma3'],
    config: {
      model_type: 'gemma3',
      image_token_index: 262_144,
      boi_token_index: 255_999,
      eoi_token_index: 256_000,
      mm_tokens_per_image: 256,
      vision_config: {},
    },
    processor: { size: { height: 896, width: 896 }, resample: 2 },
  },
  internvl: {
    families: ['internvl'],
    config: {
      model_type: 'internvl_chat',
      force_image_size: 448,
      downsample_ratio: 0.5,
      image_token_id: 151_667,
      vision_config: { image_size: 448, patch_size: 14 },
    },
    processor: {},
  },
  llama4: {
    families: ['llama4'],
    config: {
      model_type: 'llama4',
      image_token_index: 200_092,
      boi_token_index: 200_080,
      eoi_token_index: 200_081,
      vision_config: { patch_size: 14, pixel_shuffle_ratio: 0.5 },
    },
    processor: { size: { height: 336, width: 336 }, max_patches: 16, resample: 2 },
  },
} as const satisfies Record<string, Preset>

export type PresetName = keyof typeof presets
