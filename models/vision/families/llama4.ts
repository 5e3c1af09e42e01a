// Llama 4, tiny: two experts, tiles of 56.
import { byteLevelWith } from '../family-tokenizers.ts'
import { text, textStd, towerStd } from '../layers.ts'
import { type Fixture, here, languageFields, tower } from './fixture.ts'

export function llama4(): Fixture {
  const marks = ['<|image_start|>', '<|image_end|>', '<|tile_x_separator|>', '<|tile_y_separator|>', '<|image|>', '<|patch|>']
  const tokens = byteLevelWith([
    '<|begin_of_text|>',
    '<|end_of_text|>',
    '<|header_start|>',
    '<|header_end|>',
    '<|eot|>',
    ...marks,
    '<|finetune_right_pad|>',
  ])
  const { ids } = tokens
  const [tile, patch, experts] = [56, 14, 2]
  return {
    folder: 'tiny-llama4',
    tokens,
    eos: ['<|end_of_text|>', '<|eot|>'],
    named: {
      bos_token: '<|begin_of_text|>',
      eos_token: '<|eot|>',
      pad_token: '<|finetune_right_pad|>',
      unk_token: null,
      add_bos_token: true,
    },
    template: here('templates/llama4.jinja'),
    files: {
      'config.json': {
        architectures: ['Llama4ForConditionalGeneration'],
        boi_token_index: ids['<|image_start|>'],
        eoi_token_index: ids['<|image_end|>'],
        image_token_index: ids['<|patch|>'],
        model_type: 'llama4',
        text_config: {
          ...languageFields(tokens, 'llama4_text', 'Llama4ForCausalLM'),
          attention_chunk_size: 8192,
          attn_temperature_tuning: true,
          bos_token_id: ids['<|begin_of_text|>'],
          eos_token_id: [ids['<|end_of_text|>'], ids['<|eot|>']],
          floor_scale: 8192,
          hidden_act: 'silu',
          interleave_moe_layer_step: 1,
          intermediate_size_mlp: text.intermediate,
          no_rope_layers: [1, 0],
          num_experts_per_tok: 1,
          num_local_experts: experts,
          rope_scaling: null,
          rope_theta: 500000.0,
          // As Maverick has it; Scout's norms make bfloat16 of q and k where there is no CUDA (sglang models/llama4.py:356), and float32 cannot be served then.
          use_qk_norm: false,
        },
        torch_dtype: 'bfloat16',
        vision_config: {
          hidden_act: 'gelu',
          hidden_size: tower.hidden,
          image_size: tile,
          intermediate_size: 4 * tower.hidden,
          model_type: 'llama4_vision_model',
          multi_modal_projector_bias: false,
          norm_eps: 1e-5,
          num_attention_heads: tower.heads,
          num_channels: 3,
          num_hidden_layers: tower.layers,
          patch_size: patch,
          pixel_shuffle_ratio: 0.5,
          projector_input_dim: tower.intermediate,
          projector_output_dim: tower.intermediate,
          rope_theta: 10000,
          vision_feature_layer: -1,
          vision_feature_select_strategy: 'default',
          vision_output_dim: tower.intermediate,
        },
      },
      'preprocessor_config.json': {
        do_normalize: true,
        do_rescale: true,
        do_resize: true,
        image_mean: [0.5, 0.5, 0.5],
        image_processor_type: 'Llama4ImageProcessorFast',
        image_std: [0.5, 0.5, 0.5],
        max_patches: 16,
        processor_class: 'Llama4Processor',
        resample: 2,
        rescale_factor: 1 / 255,
        resize_to_max_canvas: false,
        size: { height: tile, width: tile },
      },
      'processor_config.json': {
        fake_image_token: '<|image|>',
        image_token: '<|image|>',
        patch_size: patch,
        pixel_shuffle_ratio: 0.5,
        processor_class: 'Llama4Processor',
      },
    },
    weights(to) {
      const matrix = (name: string, to_: number, from: number) => to.random(`${name}.weight`, [to_, from], textStd)
      const { hidden, intermediate, heads, kvHeads, headDim } = text
      const model = 'language_model.model'
      matrix(`${model}.embed_tokens`, tokens.vocabSize, hidden)
      for (let i = 0; i < text.layers; i++) {
        const layer = `${model}.layers.${i}`
        to.ones(`${layer}.input_layernorm.weight`, hidden)
        to.ones(`${layer}.post_attention_layernorm.weight`, hidden)
        matrix(`${layer}.self_attn.q_proj`, heads * headDim, hidden)
        matrix(`${layer}.self_attn.k_proj`, kvHeads * headDim, hidden)
        matrix(`${layer}.self_attn.v_proj`, kvHeads * headDim, hidden)
        matrix(`${layer}.self_attn.o_proj`, hidden, heads * headDim)
        matrix(`${layer}.feed_forward.router`, experts, hidden)
        to.random(`${layer}.feed_forward.experts.gate_up_proj`, [experts, hidden, 2 * intermediate], textStd)
        to.random(`${layer}.feed_forward.experts.down_proj`, [experts, intermediate, hidden], textStd)
        matrix(`${layer}.feed_forward.shared_expert.gate_proj`, intermediate, hidden)
        matrix(`${layer}.feed_forward.shared_expert.up_proj`, intermediate, hidden)
        matrix(`${layer}.feed_forward.shared_expert.down_proj`, hidden, intermediate)
      }
      to.ones(`${model}.norm.weight`, hidden)
      matrix('language_model.lm_head', tokens.vocabSize, hidden)
      const vision = 'vision_model'
      to.random(`${vision}.patch_embedding.linear.weight`, [tower.hidden, 3 * patch * patch], towerStd)
      to.random(`${vision}.class_embedding`, [tower.hidden], towerStd)
      to.random(`${vision}.positional_embedding_vlm`, [(tile / patch) ** 2 + 1, tower.hidden], 0.5)
      to.towerNorm(`${vision}.layernorm_pre`, tower.hidden)
      for (let i = 0; i < tower.layers; i++) {
        const layer = `${vision}.model.layers.${i}`
        to.towerNorm(`${layer}.input_layernorm`, tower.hidden)
        for (const name of ['q_proj', 'k_proj', 'v_proj', 'o_proj'])
          to.towerLinear(`${layer}.self_attn.${name}`, tower.hidden, tower.hidden)
        to.towerNorm(`${layer}.post_attention_layernorm`, tower.hidden)
        to.towerLinear(`${layer}.mlp.fc1`, 4 * tower.hidden, tower.hidden)
        to.towerLinear(`${layer}.mlp.fc2`, tower.hidden, 4 * tower.hidden)
      }
      to.towerNorm(`${vision}.layernorm_post`, tower.hidden)
      to.random(`${vision}.vision_adapter.mlp.fc1.weight`, [tower.intermediate, 4 * tower.hidden], towerStd)
      to.random(`${vision}.vision_adapter.mlp.fc2.weight`, [tower.intermediate, tower.intermediate], towerStd)
      to.random('multi_modal_projector.linear_1.weight', [hidden, tower.intermediate], textStd)
    },
  }
}
