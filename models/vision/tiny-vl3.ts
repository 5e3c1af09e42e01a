// Qwen3-VL with two language layers and a tower of four blocks, two of which also feed the first language layers (deepstack): nested config.json and
// weight names as published.
import type { TinyPipeline } from '../diffusion/pipeline.ts'
import { type ChatShape, text, textLayers, towerStd, visionIdFields, weightsFile } from './layers.ts'

/** `positions`: a square of learned places, stretched over each picture. */
const tower = { depth: 4, hidden: 64, intermediate: 128, heads: 4, patch: 16, merge: 2, temporal: 2, positions: 144, out: text.hidden }
const deepstack = [0, 2]

function config(shape: ChatShape) {
  return {
    architectures: ['Qwen3VLForConditionalGeneration'],
    model_type: 'qwen3_vl',
    text_config: {
      attention_bias: false,
      attention_dropout: 0.0,
      bos_token_id: shape.padId,
      dtype: 'bfloat16',
      eos_token_id: shape.eosIds[0],
      head_dim: text.headDim,
      hidden_act: 'silu',
      hidden_size: text.hidden,
      initializer_range: 0.02,
      intermediate_size: text.intermediate,
      max_position_embeddings: shape.contextLength,
      model_type: 'qwen3_vl_text',
      num_attention_heads: text.heads,
      num_hidden_layers: text.layers,
      num_key_value_heads: text.kvHeads,
      pad_token_id: shape.padId,
      rms_norm_eps: 1e-6,
      rope_scaling: { mrope_interleaved: true, mrope_section: [4, 2, 2], rope_type: 'default' },
      rope_theta: 5000000,
      tie_word_embeddings: false,
      use_cache: true,
      vocab_size: shape.vocabSize,
    },
    tie_word_embeddings: false,
    ...visionIdFields(shape),
    vision_config: {
      deepstack_visual_indexes: deepstack,
      depth: tower.depth,
      hidden_act: 'gelu_pytorch_tanh',
      hidden_size: tower.hidden,
      in_channels: 3,
      initializer_range: 0.02,
      intermediate_size: tower.intermediate,
      model_type: 'qwen3_vl',
      num_heads: tower.heads,
      num_position_embeddings: tower.positions,
      out_hidden_size: tower.out,
      patch_size: tower.patch,
      spatial_merge_size: tower.merge,
      temporal_patch_size: tower.temporal,
    },
  }
}

const preprocessor = {
  image_mean: [0.5, 0.5, 0.5],
  image_processor_type: 'Qwen2VLImageProcessorFast',
  image_std: [0.5, 0.5, 0.5],
  merge_size: tower.merge,
  patch_size: tower.patch,
  processor_class: 'Qwen3VLProcessor',
  size: { longest_edge: 16777216, shortest_edge: 65536 },
  temporal_patch_size: tower.temporal,
}

const videoPreprocessor = {
  ...preprocessor,
  image_processor_type: undefined,
  size: { longest_edge: 25165824, shortest_edge: 4096 },
  video_processor_type: 'Qwen3VLVideoProcessor',
}

function weights(shape: ChatShape, seed: number): Uint8Array {
  return weightsFile(seed, (to) => {
    textLayers(to, 'model.language_model', shape.vocabSize, 'qwen3')
    const { hidden, intermediate, patch, temporal, merge, out, positions } = tower
    const merged = hidden * merge * merge
    const merger = (name: string, normed: number) => {
      to.towerNorm(`${name}.norm`, normed)
      to.towerLinear(`${name}.linear_fc1`, merged, merged)
      to.towerLinear(`${name}.linear_fc2`, out, merged)
    }
    to.random('model.visual.patch_embed.proj.weight', [hidden, 3, temporal, patch, patch], towerStd)
    to.random('model.visual.patch_embed.proj.bias', [hidden], towerStd)
    to.random('model.visual.pos_embed.weight', [positions, hidden], 0.5)
    for (let i = 0; i < tower.depth; i++) {
      const block = `model.visual.blocks.${i}`
      to.towerNorm(`${block}.norm1`, hidden)
      to.towerNorm(`${block}.norm2`, hidden)
      to.towerLinear(`${block}.attn.qkv`, 3 * hidden, hidden)
      to.towerLinear(`${block}.attn.proj`, hidden, hidden)
      to.towerLinear(`${block}.mlp.linear_fc1`, intermediate, hidden)
      to.towerLinear(`${block}.mlp.linear_fc2`, hidden, intermediate)
    }
    merger('model.visual.merger', hidden)
    deepstack.forEach((_, i) => {
      merger(`model.visual.deepstack_merger_list.${i}`, merged)
    })
  })
}

/** Its own files; tokenizer and template are those of the text fixtures. */
export function tinyVl3(shape: ChatShape, seed: number): TinyPipeline {
  return {
    folder: 'tiny-vl3',
    files: {
      'config.json': config(shape),
      'preprocessor_config.json': preprocessor,
      'video_preprocessor_config.json': videoPreprocessor,
    },
    weights: { 'model.safetensors': () => weights(shape, seed) },
  }
}
