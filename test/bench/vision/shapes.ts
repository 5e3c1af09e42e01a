// Folders of vision models with real shapes and the tokenizer of a tiny one: everything but weights, which are made up where they are needed (tower/real-shape.ts: zeros of a tower;
// gpu/vision/weights.py: random ones of all).
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Json = Record<string, unknown>

export interface VisionShape {
  /** Of models/: whose tokenizer, template and preprocessor are taken, and whose config.json is the base. */
  base: 'tiny-vl' | 'tiny-vl3'
  vision: Json
  /** Of the language model; `hidden_size` is what the tower's rows have. */
  text: Json
}

const patch14 = { spatial_merge_size: 2, temporal_patch_size: 2, patch_size: 14, spatial_patch_size: 14, tokens_per_second: 2, in_chans: 3 }

export const shapes: Record<string, VisionShape> = {
  // A tower of the size of ViT-S/14 (22 million weights), as many CPUs can bear, before rows as wide as those of a 3B model.
  'vit-s': {
    base: 'tiny-vl',
    vision: {
      ...{ ...patch14, depth: 12, hidden_size: 384, intermediate_size: 1536, num_heads: 6, out_hidden_size: 2048, hidden_act: 'silu' },
      ...{ window_size: 112, fullatt_block_indexes: [3, 7, 11] },
    },
    text: {
      ...{ hidden_size: 2048, intermediate_size: 2048, num_hidden_layers: 2, num_attention_heads: 16, num_key_value_heads: 2 },
      rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
    },
  },
  // Small enough for any machine, with heads that every kernel takes: for texts that must be equal in float32.
  'vl-small': {
    base: 'tiny-vl',
    vision: {
      ...{ ...patch14, depth: 4, hidden_size: 256, intermediate_size: 512, num_heads: 4, out_hidden_size: 256, hidden_act: 'silu' },
      ...{ window_size: 112, fullatt_block_indexes: [1, 3] },
    },
    text: {
      ...{ hidden_size: 256, intermediate_size: 512, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2 },
      rope_scaling: { type: 'mrope', mrope_section: [8, 12, 12] },
    },
  },
  'vl3-small': {
    base: 'tiny-vl3',
    vision: {
      ...{ depth: 4, hidden_size: 256, intermediate_size: 512, num_heads: 4, out_hidden_size: 256, patch_size: 16, in_channels: 3 },
      ...{ num_position_embeddings: 2304, deepstack_visual_indexes: [0, 2], hidden_act: 'gelu_pytorch_tanh' },
      ...{ spatial_merge_size: 2, temporal_patch_size: 2 },
    },
    text: {
      ...{ hidden_size: 256, intermediate_size: 512, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64 },
      rope_scaling: { mrope_interleaved: true, mrope_section: [12, 10, 10], rope_type: 'default' },
    },
  },
  // The published config.json of Qwen2.5-VL-3B-Instruct.
  'qwen2.5-vl-3b': {
    base: 'tiny-vl',
    vision: {
      ...{ ...patch14, depth: 32, hidden_size: 1280, intermediate_size: 3420, num_heads: 16, out_hidden_size: 2048, hidden_act: 'silu' },
      ...{ window_size: 112, fullatt_block_indexes: [7, 15, 23, 31] },
    },
    text: {
      ...{ hidden_size: 2048, intermediate_size: 11008, num_hidden_layers: 36, num_attention_heads: 16, num_key_value_heads: 2 },
      ...{ rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] }, max_window_layers: 70, tie_word_embeddings: true },
    },
  },
  // The published config.json of Qwen3-VL-4B-Instruct.
  'qwen3-vl-4b': {
    base: 'tiny-vl3',
    vision: {
      ...{ depth: 24, hidden_size: 1024, intermediate_size: 4096, num_heads: 16, out_hidden_size: 2560, patch_size: 16, in_channels: 3 },
      ...{ num_position_embeddings: 2304, deepstack_visual_indexes: [5, 11, 17], hidden_act: 'gelu_pytorch_tanh' },
      ...{ spatial_merge_size: 2, temporal_patch_size: 2 },
    },
    text: {
      ...{
        hidden_size: 2560,
        intermediate_size: 9728,
        num_hidden_layers: 36,
        num_attention_heads: 32,
        num_key_value_heads: 8,
        head_dim: 128,
      },
      ...{ rope_theta: 5000000, rope_scaling: { mrope_interleaved: true, mrope_section: [24, 20, 20], rope_type: 'default' } },
      ...{ tie_word_embeddings: true },
    },
  },
}

export interface FolderOptions {
  /** Pixels of a picture after resizing. */
  maxPixels?: number
  dtype?: 'bfloat16' | 'float32'
}

/** Writes `folder` as a model of that shape; `models` has the tiny ones. Throws on unknown names. */
export function writeVisionFolder(
  folder: string,
  name: string,
  models: string,
  { maxPixels, dtype = 'bfloat16' }: FolderOptions = {},
): void {
  const shape = shapes[name]
  if (shape === undefined) throw new Error(`unknown shape ${name}; known: ${Object.keys(shapes).join(', ')}`)
  mkdirSync(folder, { recursive: true })
  const from = join(models, shape.base)
  const base = read(join(from, 'config.json'))
  const text = { ...shape.text, max_position_embeddings: 32768, torch_dtype: dtype, dtype }
  const nested = base.text_config as Json | undefined
  const config = {
    ...base,
    // Qwen2.5-VL has its language model beside the tower, Qwen3-VL in a part of its own.
    ...(nested === undefined
      ? text
      : { text_config: { ...nested, ...text }, tie_word_embeddings: shape.text.tie_word_embeddings ?? false }),
    torch_dtype: dtype,
    vision_config: { ...(base.vision_config as Json), ...shape.vision },
  }
  write(join(folder, 'config.json'), config)
  const preprocessor = read(join(from, 'preprocessor_config.json'))
  if (maxPixels !== undefined) {
    if ('max_pixels' in preprocessor) preprocessor.max_pixels = maxPixels
    else preprocessor.size = { ...(preprocessor.size as Json), longest_edge: maxPixels }
  }
  write(join(folder, 'preprocessor_config.json'), preprocessor)
  for (const file of [
    'tokenizer.json',
    'tokenizer_config.json',
    'generation_config.json',
    'chat_template.jinja',
    'video_preprocessor_config.json',
  ])
    if (existsSync(join(from, file))) copyFileSync(join(from, file), join(folder, file))
}

function read(path: string): Json {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function write(path: string, value: Json): void {
  writeFileSync(path, `${JSON.stringify(value, null, 1)}\n`)
}
