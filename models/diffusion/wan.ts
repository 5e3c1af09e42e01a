// tiny-Wan2.1-T2V-1.3B: a WanPipeline of two blocks; 16 latent channels, a causal VAE of eight times in space and four in time.

import { diffusersVersion, type TinyPipeline } from './pipeline.ts'
import { type Layers, weights } from './tensors.ts'
import { t5Config, t5Tokenizer, t5Weights, textSize } from './text.ts'

const heads = 2
const headSize = 64
const size = heads * headSize
const blocks = [0, 1]
const base = 8
const multiples = [1, 2, 4, 4]
const deep = base * multiples.at(-1)!
/** Which of the three halvings in space halve the time too. */
const inTime = [false, true, true]

/** Wan 2.1's own statistics: post-processing undoes them. */
const mean = [
  -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
]
const deviation = [
  2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.916,
]

export const tinyWan: TinyPipeline = {
  folder: 'tiny-Wan2.1-T2V-1.3B',
  files: {
    'model_index.json': {
      _class_name: 'WanPipeline',
      _diffusers_version: diffusersVersion,
      scheduler: ['diffusers', 'UniPCMultistepScheduler'],
      text_encoder: ['transformers', 'UMT5EncoderModel'],
      tokenizer: ['transformers', 'T5TokenizerFast'],
      transformer: ['diffusers', 'WanTransformer3DModel'],
      vae: ['diffusers', 'AutoencoderKLWan'],
    },
    'scheduler/scheduler_config.json': {
      _class_name: 'UniPCMultistepScheduler',
      _diffusers_version: diffusersVersion,
      beta_end: 0.02,
      beta_schedule: 'linear',
      beta_start: 0.0001,
      disable_corrector: [],
      dynamic_thresholding_ratio: 0.995,
      final_sigmas_type: 'zero',
      flow_shift: 3.0,
      lower_order_final: true,
      num_train_timesteps: 1000,
      predict_x0: true,
      prediction_type: 'flow_prediction',
      rescale_betas_zero_snr: false,
      sample_max_value: 1.0,
      solver_order: 2,
      solver_p: null,
      solver_type: 'bh2',
      steps_offset: 0,
      thresholding: false,
      timestep_spacing: 'linspace',
      trained_betas: null,
      use_beta_sigmas: false,
      use_exponential_sigmas: false,
      use_flow_sigmas: true,
      use_karras_sigmas: false,
    },
    'text_encoder/config.json': t5Config('umt5'),
    tokenizer: t5Tokenizer(),
    'transformer/config.json': {
      _class_name: 'WanTransformer3DModel',
      _diffusers_version: diffusersVersion,
      added_kv_proj_dim: null,
      attention_head_dim: headSize,
      cross_attn_norm: true,
      eps: 1e-6,
      ffn_dim: 2 * size,
      freq_dim: 256,
      image_dim: null,
      in_channels: 16,
      num_attention_heads: heads,
      num_layers: blocks.length,
      out_channels: 16,
      patch_size: [1, 2, 2],
      pos_embed_seq_len: null,
      qk_norm: 'rms_norm_across_heads',
      rope_max_seq_len: 1024,
      text_dim: textSize,
    },
    'vae/config.json': {
      _class_name: 'AutoencoderKLWan',
      _diffusers_version: diffusersVersion,
      attn_scales: [],
      base_dim: base,
      decoder_base_dim: null,
      dim_mult: multiples,
      dropout: 0.0,
      in_channels: 3,
      is_residual: false,
      latents_mean: mean,
      latents_std: deviation,
      num_res_blocks: 1,
      out_channels: 3,
      patch_size: null,
      scale_factor_spatial: 8,
      scale_factor_temporal: 4,
      temperal_downsample: inTime,
      z_dim: 16,
    },
  },
  weights: {
    'text_encoder/model.safetensors': () => t5Weights('umt5', 21),
    'transformer/diffusion_pytorch_model.safetensors': () => weights(22, transformer),
    'vae/diffusion_pytorch_model.safetensors': () => weights(23, vae),
  },
}

function transformer({ conv, linear, norm, table }: Layers): void {
  conv('patch_embedding', size, 16, [1, 2, 2])
  linear('condition_embedder.time_embedder.linear_1', size, 256)
  linear('condition_embedder.time_embedder.linear_2', size, size)
  linear('condition_embedder.time_proj', 6 * size, size)
  linear('condition_embedder.text_embedder.linear_1', size, textSize)
  linear('condition_embedder.text_embedder.linear_2', size, size)
  for (const i of blocks) {
    const block = `blocks.${i}`
    for (const attention of ['attn1', 'attn2']) {
      for (const name of ['to_q', 'to_k', 'to_v', 'to_out.0']) linear(`${block}.${attention}.${name}`, size, size)
      for (const name of ['norm_q', 'norm_k']) norm(`${block}.${attention}.${name}`, size, false)
    }
    norm(`${block}.norm2`, size)
    linear(`${block}.ffn.net.0.proj`, 2 * size, size)
    linear(`${block}.ffn.net.2`, size, 2 * size)
    table(`${block}.scale_shift_table`, [1, 6, size])
  }
  table('scale_shift_table', [1, 2, size])
  linear('proj_out', 64, size)
}

function vae(layers: Layers): void {
  const { conv, gamma } = layers
  const cube = [3, 3, 3]
  const sizes = multiples.map((multiple) => base * multiple)
  conv('encoder.conv_in', base, 3, cube)
  for (const [i, outputs] of sizes.entries()) {
    // A row of blocks: one residual each, and after it the halving, but not after the last.
    const at = `encoder.down_blocks.${2 * i}`
    resnet(layers, at, outputs, sizes[i - 1] ?? base)
    if (i === inTime.length) continue
    const half = `encoder.down_blocks.${2 * i + 1}`
    conv(`${half}.resample.1`, outputs, outputs, [3, 3])
    if (inTime[i]) conv(`${half}.time_conv`, outputs, outputs, [3, 1, 1])
  }
  middle(layers, 'encoder')
  gamma('encoder.norm_out', [deep, 1, 1, 1])
  conv('encoder.conv_out', 32, deep, cube)
  conv('quant_conv', 32, 32, [1, 1, 1])
  conv('post_quant_conv', 16, 16, [1, 1, 1])
  conv('decoder.conv_in', deep, 16, cube)
  middle(layers, 'decoder')
  const up = [...sizes].reverse()
  for (const [i, outputs] of up.entries()) {
    const block = `decoder.up_blocks.${i}`
    // Each doubling also halves the channels.
    resnet(layers, `${block}.resnets.0`, outputs, i === 0 ? deep : up[i - 1]! / 2)
    resnet(layers, `${block}.resnets.1`, outputs, outputs)
    if (i === inTime.length) continue
    conv(`${block}.upsamplers.0.resample.1`, outputs / 2, outputs, [3, 3])
    if (inTime.at(-1 - i)) conv(`${block}.upsamplers.0.time_conv`, 2 * outputs, outputs, [3, 1, 1])
  }
  gamma('decoder.norm_out', [base, 1, 1, 1])
  conv('decoder.conv_out', 3, base, cube)
}

function middle(layers: Layers, half: string): void {
  for (const i of [0, 1]) resnet(layers, `${half}.mid_block.resnets.${i}`, deep, deep)
  const attention = `${half}.mid_block.attentions.0`
  layers.gamma(`${attention}.norm`, [deep, 1, 1])
  layers.conv(`${attention}.to_qkv`, 3 * deep, deep, [1, 1])
  layers.conv(`${attention}.proj`, deep, deep, [1, 1])
}

function resnet({ conv, gamma }: Layers, name: string, outputs: number, inputs: number): void {
  gamma(`${name}.norm1`, [inputs, 1, 1, 1])
  conv(`${name}.conv1`, outputs, inputs, [3, 3, 3])
  gamma(`${name}.norm2`, [outputs, 1, 1, 1])
  conv(`${name}.conv2`, outputs, outputs, [3, 3, 3])
  if (inputs !== outputs) conv(`${name}.conv_shortcut`, outputs, inputs, [1, 1, 1])
}
