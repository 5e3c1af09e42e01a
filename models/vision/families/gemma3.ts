// Gemma 3, tiny: SigLIP, tied embeddings, four norms a layer.
import { gemmaWith } from '../family-tokenizers.ts'
import { text, textStd, towerStd } from '../layers.ts'
import { type Fixture, here, languageFields, tower, towerLayers } from './fixture.ts'

export function gemma3(): Fixture {
  const tokens = gemmaWith(['<start_of_turn>', '<end_of_turn>', '<start_of_image>', '<end_of_image>', '<image_soft_token>'])
  const { ids } = tokens
  const [image, patch, rows] = [112, 14, 16]
  const language = languageFields(tokens, 'gemma3_text', 'Gemma3ForCausalLM')
  const marks = { boi_token: '<start_of_image>', eoi_token: '<end_of_image>', image_token: '<image_soft_token>' }
  return {
    folder: 'tiny-gemma3',
    tokens,
    eos: ['<eos>', '<end_of_turn>'],
    named: {
      bos_token: '<bos>',
      eos_token: '<eos>',
      pad_token: '<pad>',
      unk_token: '<unk>',
      add_bos_token: true,
      extra_special_tokens: marks,
      ...marks,
    },
    template: here('../templates/gemma3.jinja'),
    files: {
      'config.json': {
        architectures: ['Gemma3ForConditionalGeneration'],
        boi_token_index: ids['<start_of_image>'],
        eoi_token_index: ids['<end_of_image>'],
        eos_token_id: [1, ids['<end_of_turn>']],
        image_token_index: ids['<image_soft_token>'],
        mm_tokens_per_image: rows,
        model_type: 'gemma3',
        text_config: {
          ...language,
          hidden_activation: 'gelu_pytorch_tanh',
          query_pre_attn_scalar: text.headDim,
          rope_local_base_freq: 10000.0,
          rope_theta: 1000000.0,
          sliding_window: 512,
          sliding_window_pattern: 2,
          tie_word_embeddings: true,
        },
        torch_dtype: 'bfloat16',
        vision_config: {
          hidden_size: tower.hidden,
          image_size: image,
          intermediate_size: tower.intermediate,
          layer_norm_eps: 1e-6,
          model_type: 'siglip_vision_model',
          num_attention_heads: tower.heads,
          num_channels: 3,
          num_hidden_layers: tower.layers,
          patch_size: patch,
          vision_use_head: false,
        },
      },
      'preprocessor_config.json': {
        do_convert_rgb: null,
        do_normalize: true,
        do_pan_and_scan: null,
        do_rescale: true,
        do_resize: true,
        image_mean: [0.5, 0.5, 0.5],
        image_processor_type: 'Gemma3ImageProcessor',
        image_seq_length: rows,
        image_std: [0.5, 0.5, 0.5],
        processor_class: 'Gemma3Processor',
        resample: 2,
        rescale_factor: 1 / 255,
        size: { height: image, width: image },
      },
      'processor_config.json': { image_seq_length: rows, processor_class: 'Gemma3Processor' },
    },
    weights(to) {
      const matrix = (name: string, to_: number, from: number) => to.random(`${name}.weight`, [to_, from], textStd)
      const { hidden, intermediate, heads, kvHeads, headDim } = text
      // Tied, and multiplied by the root of its width on the way in: with more than this every token would answer itself.
      to.random('language_model.model.embed_tokens.weight', [tokens.vocabSize, hidden], 0.03)
      for (let i = 0; i < text.layers; i++) {
        const layer = `language_model.model.layers.${i}`
        // Gemma's norms multiply by one more than their weight.
        for (const norm of ['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm'])
          to.random(`${layer}.${norm}.weight`, [hidden], 0.1)
        for (const norm of ['q_norm', 'k_norm']) to.random(`${layer}.self_attn.${norm}.weight`, [headDim], 0.1)
        matrix(`${layer}.self_attn.q_proj`, heads * headDim, hidden)
        matrix(`${layer}.self_attn.k_proj`, kvHeads * headDim, hidden)
        matrix(`${layer}.self_attn.v_proj`, kvHeads * headDim, hidden)
        matrix(`${layer}.self_attn.o_proj`, hidden, heads * headDim)
        matrix(`${layer}.mlp.gate_proj`, intermediate, hidden)
        matrix(`${layer}.mlp.up_proj`, intermediate, hidden)
        matrix(`${layer}.mlp.down_proj`, hidden, intermediate)
      }
      to.random('language_model.model.norm.weight', [hidden], 0.1)
      const vision = 'vision_tower.vision_model'
      to.random(`${vision}.embeddings.patch_embedding.weight`, [tower.hidden, 3, patch, patch], towerStd)
      to.random(`${vision}.embeddings.patch_embedding.bias`, [tower.hidden], towerStd)
      to.random(`${vision}.embeddings.position_embedding.weight`, [(image / patch) ** 2, tower.hidden], 0.5)
      towerLayers(to, `${vision}.encoder.layers`, { norms: ['layer_norm1', 'layer_norm2'], out: 'out_proj' })
      to.towerNorm(`${vision}.post_layernorm`, tower.hidden)
      to.random('multi_modal_projector.mm_input_projection_weight', [tower.hidden, hidden], textStd)
      to.random('multi_modal_projector.mm_soft_emb_norm.weight', [tower.hidden], 0.1)
    },
  }
}
