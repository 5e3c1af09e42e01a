// LLaVA 1.5 of the llava-hf kind, tiny: CLIP over Llama.
import { llamaWith } from '../family-tokenizers.ts'
import { text, textLayers, towerStd } from '../layers.ts'
import { type Fixture, here, languageFields, prefixed, tower, towerLayers } from './fixture.ts'

const clipMean = [0.48145466, 0.4578275, 0.40821073]
const clipStd = [0.26862954, 0.26130258, 0.27577711]

export function llava(): Fixture {
  const tokens = llamaWith(['<image>', '<pad>'])
  const [image, patch] = [56, 14]
  return {
    folder: 'tiny-llava',
    tokens,
    eos: ['</s>'],
    named: {
      bos_token: '<s>',
      eos_token: '</s>',
      pad_token: '<pad>',
      unk_token: '<unk>',
      add_bos_token: true,
      image_token: '<image>',
      extra_special_tokens: { image_token: '<image>' },
    },
    template: here('templates/llava.jinja'),
    files: {
      'config.json': {
        architectures: ['LlavaForConditionalGeneration'],
        ignore_index: -100,
        image_token_index: tokens.ids['<image>'],
        model_type: 'llava',
        pad_token_id: tokens.ids['<pad>'],
        projector_hidden_act: 'gelu',
        text_config: { ...languageFields(tokens, 'llama', 'LlamaForCausalLM'), bos_token_id: 1, eos_token_id: 2, hidden_act: 'silu' },
        torch_dtype: 'float16',
        vision_config: {
          hidden_size: tower.hidden,
          image_size: image,
          intermediate_size: tower.intermediate,
          model_type: 'clip_vision_model',
          num_attention_heads: tower.heads,
          num_hidden_layers: tower.layers,
          patch_size: patch,
          projection_dim: tower.hidden,
          vocab_size: 32000,
        },
        vision_feature_layer: -2,
        vision_feature_select_strategy: 'default',
        vocab_size: tokens.vocabSize,
      },
      'preprocessor_config.json': {
        crop_size: { height: image, width: image },
        do_center_crop: true,
        do_convert_rgb: true,
        do_normalize: true,
        do_rescale: true,
        do_resize: true,
        image_mean: clipMean,
        image_processor_type: 'CLIPImageProcessor',
        image_std: clipStd,
        processor_class: 'LlavaProcessor',
        resample: 3,
        rescale_factor: 1 / 255,
        size: { shortest_edge: image },
      },
      'processor_config.json': {
        image_token: '<image>',
        num_additional_image_tokens: 1,
        patch_size: patch,
        processor_class: 'LlavaProcessor',
        vision_feature_select_strategy: 'default',
      },
    },
    weights(to) {
      textLayers(prefixed(to, 'language_model.'), 'model', tokens.vocabSize, 'llama')
      const vision = 'vision_tower.vision_model'
      to.random(`${vision}.embeddings.class_embedding`, [tower.hidden], towerStd)
      to.random(`${vision}.embeddings.patch_embedding.weight`, [tower.hidden, 3, patch, patch], towerStd)
      to.random(`${vision}.embeddings.position_embedding.weight`, [(image / patch) ** 2 + 1, tower.hidden], 0.5)
      to.towerNorm(`${vision}.pre_layrnorm`, tower.hidden)
      towerLayers(to, `${vision}.encoder.layers`, { norms: ['layer_norm1', 'layer_norm2'], out: 'out_proj' })
      to.towerNorm(`${vision}.post_layernorm`, tower.hidden)
      to.towerLinear('multi_modal_projector.linear_1', text.hidden, tower.hidden)
      to.towerLinear('multi_modal_projector.linear_2', text.hidden, text.hidden)
    },
  }
}
