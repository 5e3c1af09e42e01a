// tiny-FLUX.1-dev: a FluxPipeline of two double and two single blocks, with what SGLang and post-processing count on kept as it is in the big
// one: 16 latent channels packed 2x2, a VAE of eight times, rotary axes.

import { diffusersVersion, type TinyPipeline } from './pipeline.ts'
import { type Layers, weights } from './tensors.ts'
import { clipConfig, clipTokenizer, clipWeights, t5Config, t5Tokenizer, t5Weights, textSize } from './text.ts'

const heads = 2
const headSize = 64
const size = heads * headSize
const blocks = [0, 1]
const channels = [16, 16, 32, 32]
const deep = channels.at(-1)!

export const tinyFlux: TinyPipeline = {
  folder: 'tiny-FLUX.1-dev',
  files: {
    'model_index.json': {
      _class_name: 'FluxPipeline',
      _diffusers_version: diffusersVersion,
      scheduler: ['diffusers', 'FlowMatchEulerDiscreteScheduler'],
      text_encoder: ['transformers', 'CLIPTextModel'],
      text_encoder_2: ['transformers', 'T5EncoderModel'],
      tokenizer: ['transformers', 'CLIPTokenizer'],
      tokenizer_2: ['transformers', 'T5TokenizerFast'],
      transformer: ['diffusers', 'FluxTransformer2DModel'],
      vae: ['diffusers', 'AutoencoderKL'],
    },
    'scheduler/scheduler_config.json': {
      _class_name: 'FlowMatchEulerDiscreteScheduler',
      _diffusers_version: diffusersVersion,
      base_image_seq_len: 256,
      base_shift: 0.5,
      max_image_seq_len: 4096,
      max_shift: 1.15,
      num_train_timesteps: 1000,
      shift: 3.0,
      use_dynamic_shifting: true,
    },
    'text_encoder/config.json': clipConfig(),
    'text_encoder_2/config.json': t5Config('t5'),
    tokenizer: clipTokenizer(),
    tokenizer_2: t5Tokenizer(),
    'transformer/config.json': {
      _class_name: 'FluxTransformer2DModel',
      _diffusers_version: diffusersVersion,
      attention_head_dim: headSize,
      axes_dims_rope: [16, 24, 24],
      guidance_embeds: true,
      in_channels: 64,
      joint_attention_dim: textSize,
      num_attention_heads: heads,
      num_layers: blocks.length,
      num_single_layers: blocks.length,
      out_channels: null,
      patch_size: 1,
      pooled_projection_dim: textSize,
    },
    'vae/config.json': {
      _class_name: 'AutoencoderKL',
      _diffusers_version: diffusersVersion,
      act_fn: 'silu',
      block_out_channels: channels,
      down_block_types: channels.map(() => 'DownEncoderBlock2D'),
      force_upcast: true,
      in_channels: 3,
      latent_channels: 16,
      latents_mean: null,
      latents_std: null,
      layers_per_block: 1,
      mid_block_add_attention: true,
      norm_num_groups: 8,
      out_channels: 3,
      sample_size: 1024,
      scaling_factor: 0.3611,
      shift_factor: 0.1159,
      up_block_types: channels.map(() => 'UpDecoderBlock2D'),
      use_post_quant_conv: false,
      use_quant_conv: false,
    },
  },
  weights: {
    'text_encoder/model.safetensors': () => clipWeights(11),
    'text_encoder_2/model.safetensors': () => t5Weights('t5', 12),
    'transformer/diffusion_pytorch_model.safetensors': () => weights(13, transformer),
    'vae/diffusion_pytorch_model.safetensors': () => weights(14, vae),
  },
}

function transformer({ linear, norm }: Layers): void {
  linear('x_embedder', size, 64)
  linear('context_embedder', size, textSize)
  for (const [name, inputs] of [
    ['timestep_embedder', 256],
    ['guidance_embedder', 256],
    ['text_embedder', textSize],
  ] as const) {
    linear(`time_text_embed.${name}.linear_1`, size, inputs)
    linear(`time_text_embed.${name}.linear_2`, size, size)
  }
  for (const i of blocks) {
    const block = `transformer_blocks.${i}`
    linear(`${block}.norm1.linear`, 6 * size, size)
    linear(`${block}.norm1_context.linear`, 6 * size, size)
    for (const name of ['to_q', 'to_k', 'to_v', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_out.0', 'to_add_out']) {
      linear(`${block}.attn.${name}`, size, size)
    }
    for (const name of ['norm_q', 'norm_k', 'norm_added_q', 'norm_added_k']) norm(`${block}.attn.${name}`, headSize, false)
    for (const name of ['ff', 'ff_context']) {
      linear(`${block}.${name}.net.0.proj`, 4 * size, size)
      linear(`${block}.${name}.net.2`, size, 4 * size)
    }
  }
  for (const i of blocks) {
    const block = `single_transformer_blocks.${i}`
    linear(`${block}.norm.linear`, 3 * size, size)
    linear(`${block}.proj_mlp`, 4 * size, size)
    linear(`${block}.proj_out`, size, 5 * size)
    for (const name of ['to_q', 'to_k', 'to_v']) linear(`${block}.attn.${name}`, size, size)
    for (const name of ['norm_q', 'norm_k']) norm(`${block}.attn.${name}`, headSize, false)
  }
  linear('norm_out.linear', 2 * size, size)
  linear('proj_out', 64, size)
}

function vae(layers: Layers): void {
  const { conv, norm } = layers
  conv('encoder.conv_in', channels[0]!, 3, [3, 3])
  for (const [i, outputs] of channels.entries()) {
    resnet(layers, `encoder.down_blocks.${i}.resnets.0`, outputs, channels[i - 1] ?? channels[0]!)
    if (i < channels.length - 1) conv(`encoder.down_blocks.${i}.downsamplers.0.conv`, outputs, outputs, [3, 3])
  }
  middle(layers, 'encoder')
  norm('encoder.conv_norm_out', deep)
  conv('encoder.conv_out', 32, deep, [3, 3])
  conv('decoder.conv_in', deep, 16, [3, 3])
  middle(layers, 'decoder')
  for (const [i, outputs] of [...channels].reverse().entries()) {
    resnet(layers, `decoder.up_blocks.${i}.resnets.0`, outputs, i === 0 ? deep : channels.at(-i)!)
    resnet(layers, `decoder.up_blocks.${i}.resnets.1`, outputs, outputs)
    if (i < channels.length - 1) conv(`decoder.up_blocks.${i}.upsamplers.0.conv`, outputs, outputs, [3, 3])
  }
  norm('decoder.conv_norm_out', channels[0]!)
  conv('decoder.conv_out', 3, channels[0]!, [3, 3])
}

function middle(layers: Layers, half: string): void {
  for (const i of [0, 1]) resnet(layers, `${half}.mid_block.resnets.${i}`, deep, deep)
  const attention = `${half}.mid_block.attentions.0`
  layers.norm(`${attention}.group_norm`, deep)
  for (const name of ['to_q', 'to_k', 'to_v', 'to_out.0']) layers.linear(`${attention}.${name}`, deep, deep)
}

function resnet({ conv, norm }: Layers, name: string, outputs: number, inputs: number): void {
  norm(`${name}.norm1`, inputs)
  conv(`${name}.conv1`, outputs, inputs, [3, 3])
  norm(`${name}.norm2`, outputs)
  conv(`${name}.conv2`, outputs, outputs, [3, 3])
  if (inputs !== outputs) conv(`${name}.conv_shortcut`, outputs, inputs, [1, 1])
}
