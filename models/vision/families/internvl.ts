// InternVL, tiny: InternViT over Qwen2.
import { byteLevelWith } from '../family-tokenizers.ts'
import { text, textLayers, towerStd } from '../layers.ts'
import { type Fixture, here, languageFields, prefixed, tower } from './fixture.ts'

/** Tiles of 448, as SGLang makes them whatever the files say; larger patches keep their rows few (16 a tile). */
export function internVl(): Fixture {
  const tokens = byteLevelWith(['<img>', '</img>', '<IMG_CONTEXT>', '<quad>', '</quad>', '<ref>', '</ref>', '<box>', '</box>'])
  const { ids } = tokens
  const [image, patch] = [448, 56]
  return {
    folder: 'tiny-internvl',
    tokens,
    eos: ['<|im_end|>', '<|endoftext|>'],
    named: { bos_token: null, eos_token: '<|im_end|>', pad_token: '<|endoftext|>', unk_token: null, add_bos_token: false },
    // As the published ones: Qwen's, which knows texts alone.
    template: here('templates/texts.jinja'),
    files: {
      'config.json': {
        architectures: ['InternVLChatModel'],
        downsample_ratio: 0.5,
        dynamic_image_size: true,
        force_image_size: image,
        llm_config: {
          ...languageFields(tokens, 'qwen2', 'Qwen2ForCausalLM'),
          bos_token_id: ids['<|endoftext|>'],
          eos_token_id: ids['<|im_end|>'],
        },
        max_dynamic_patch: 12,
        min_dynamic_patch: 1,
        model_type: 'internvl_chat',
        pad2square: false,
        ps_version: 'v2',
        select_layer: -1,
        template: 'internvl2_5',
        torch_dtype: 'bfloat16',
        use_thumbnail: true,
        vision_config: {
          architectures: ['InternVisionModel'],
          attention_dropout: 0.0,
          drop_path_rate: 0.0,
          dropout: 0.0,
          hidden_act: 'gelu',
          hidden_size: tower.hidden,
          image_size: image,
          initializer_factor: 1.0,
          initializer_range: 0.02,
          intermediate_size: tower.intermediate,
          layer_norm_eps: 1e-6,
          model_type: 'intern_vit_6b',
          norm_type: 'layer_norm',
          num_attention_heads: tower.heads,
          num_channels: 3,
          num_hidden_layers: tower.layers,
          patch_size: patch,
          qk_normalization: false,
          qkv_bias: true,
          use_flash_attn: true,
        },
      },
      'preprocessor_config.json': {
        crop_size: image,
        do_center_crop: true,
        do_normalize: true,
        do_resize: true,
        image_mean: [0.485, 0.456, 0.406],
        image_processor_type: 'CLIPImageProcessor',
        image_std: [0.229, 0.224, 0.225],
        resample: 3,
        size: image,
      },
    },
    weights(to) {
      textLayers(prefixed(to, 'language_model.'), 'model', tokens.vocabSize, 'qwen2')
      const { hidden, intermediate } = tower
      const vision = 'vision_model'
      to.random(`${vision}.embeddings.class_embedding`, [1, 1, hidden], towerStd)
      to.random(`${vision}.embeddings.patch_embedding.weight`, [hidden, 3, patch, patch], towerStd / 3)
      to.random(`${vision}.embeddings.patch_embedding.bias`, [hidden], towerStd)
      to.random(`${vision}.embeddings.position_embedding`, [1, (image / patch) ** 2 + 1, hidden], 0.5)
      for (let i = 0; i < tower.layers; i++) {
        const layer = `${vision}.encoder.layers.${i}`
        to.towerLinear(`${layer}.attn.qkv`, 3 * hidden, hidden)
        to.towerLinear(`${layer}.attn.proj`, hidden, hidden)
        to.ones(`${layer}.ls1`, hidden)
        to.ones(`${layer}.ls2`, hidden)
        to.towerLinear(`${layer}.mlp.fc1`, intermediate, hidden)
        to.towerLinear(`${layer}.mlp.fc2`, hidden, intermediate)
        to.towerNorm(`${layer}.norm1`, hidden)
        to.towerNorm(`${layer}.norm2`, hidden)
      }
      to.towerNorm('mlp1.0', 4 * hidden)
      to.towerLinear('mlp1.1', text.hidden, 4 * hidden)
      to.towerLinear('mlp1.3', text.hidden, text.hidden)
    },
  }
}
