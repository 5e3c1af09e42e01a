// Qwen2.5-VL with two language layers and a tower of three blocks, the middle one with full attention: flat config.json and weight names as published.
import type { TinyPipeline } from '../diffusion/pipeline.ts'
import { type ChatShape, text, textLayers, visionIdFields, weightsFile } from './layers.ts'

const tower = { depth: 3, hidden: 64, intermediate: 128, heads: 4, patch: 14, merge: 2, temporal: 2, window: 112, out: text.hidden }

function config(shape: ChatShape) {
  return {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    attention_dropout: 0.0,
    bos_token_id: shape.padId,
    eos_token_id: shape.eosIds[0],
    hidden_act: 'silu',
    hidden_size: text.hidden,
    initializer_range: 0.02,
    intermediate_size: text.intermediate,
    max_position_embeddings: shape.contextLength,
    max_window_layers: text.layers,
    model_type: 'qwen2_5_vl',
    num_attention_heads: text.heads,
    num_hidden_layers: text.layers,
    num_key_value_heads: text.kvHeads,
    pad_token_id: shape.padId,
    rms_norm_eps: 1e-6,
    rope_scaling: { mrope_section: [2, 3, 3], type: 'mrope' },
    rope_theta: 1000000.0,
    sliding_window: 4096,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    use_cache: true,
    use_sliding_window: false,
    ...visionIdFields(shape),
    vision_config: {
      depth: tower.depth,
      fullatt_block_indexes: [1],
      hidden_act: 'silu',
      hidden_size: tower.hidden,
      in_chans: 3,
      intermediate_size: tower.intermediate,
      model_type: 'qwen2_5_vl',
      num_heads: tower.heads,
      out_hidden_size: tower.out,
      patch_size: tower.patch,
      spatial_merge_size: tower.merge,
      spatial_patch_size: tower.patch,
      temporal_patch_size: tower.temporal,
      tokens_per_second: 2,
      window_size: tower.window,
    },
    vocab_size: shape.vocabSize,
  }
}

/** As published; the picture processor of Qwen2-VL is used. */
const preprocessor = {
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_processor_type: 'Qwen2VLImageProcessor',
  image_std: [0.26862954, 0.26130258, 0.27577711],
  max_pixels: 12845056,
  merge_size: tower.merge,
  min_pixels: 3136,
  patch_size: tower.patch,
  processor_class: 'Qwen2_5_VLProcessor',
  temporal_patch_size: tower.temporal,
}

function weights(shape: ChatShape, seed: number): Uint8Array {
  return weightsFile(seed, (to) => {
    textLayers(to, 'model', shape.vocabSize, 'qwen2')
    const { hidden, intermediate, patch, temporal, merge, out } = tower
    to.random('visual.patch_embed.proj.weight', [hidden, 3, temporal, patch, patch], 0.15)
    for (let i = 0; i < tower.depth; i++) {
      const block = `visual.blocks.${i}`
      to.ones(`${block}.norm1.weight`, hidden)
      to.ones(`${block}.norm2.weight`, hidden)
      to.towerLinear(`${block}.attn.qkv`, 3 * hidden, hidden)
      to.towerLinear(`${block}.attn.proj`, hidden, hidden)
      to.towerLinear(`${block}.mlp.gate_proj`, intermediate, hidden)
      to.towerLinear(`${block}.mlp.up_proj`, intermediate, hidden)
      to.towerLinear(`${block}.mlp.down_proj`, hidden, intermediate)
    }
    const merged = hidden * merge * merge
    to.ones('visual.merger.ln_q.weight', hidden)
    to.towerLinear('visual.merger.mlp.0', merged, merged)
    to.towerLinear('visual.merger.mlp.2', out, merged)
  })
}

/** Its own files; tokenizer and template are those of the text fixtures. */
export function tinyVl(shape: ChatShape, seed: number): TinyPipeline {
  return {
    folder: 'tiny-vl',
    files: { 'config.json': config(shape), 'preprocessor_config.json': preprocessor },
    weights: { 'model.safetensors': () => weights(shape, seed) },
  }
}
