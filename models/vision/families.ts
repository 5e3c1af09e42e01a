// Tiny checkpoints of the families beside Qwen: Gemma 3, InternVL, LLaVA and Llama 4, with field and weight names as published. They are written whole under
// models/made/ when a test wants them; git keeps none of it.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { byteLevelWith, type FamilyTokenizer, gemmaWith, llamaWith } from './family-tokenizers.ts'
import { text, textLayers, textStd, towerStd, type Weights, weightsFile } from './layers.ts'

const here = (path: string) => readFileSync(join(import.meta.dir, path), 'utf8')

interface Fixture {
  /** Under models/made/. */
  folder: string
  tokens: FamilyTokenizer
  /** Texts of the tokens that end an answer. */
  eos: string[]
  /** Of tokenizer_config.json. */
  named: Record<string, unknown>
  template: string
  files: Record<string, unknown>
  weights: (to: Weights) => void
}

/** Of the language model, as all four configurations have it. */
function languageFields(tokens: FamilyTokenizer, modelType: string, architecture: string) {
  return {
    architectures: [architecture],
    attention_bias: false,
    head_dim: text.headDim,
    hidden_size: text.hidden,
    intermediate_size: text.intermediate,
    max_position_embeddings: 8192,
    model_type: modelType,
    num_attention_heads: text.heads,
    num_hidden_layers: text.layers,
    num_key_value_heads: text.kvHeads,
    rms_norm_eps: 1e-6,
    rope_theta: 10000.0,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    vocab_size: tokens.vocabSize,
  }
}

const tower = { layers: 2, hidden: 32, intermediate: 64, heads: 2 }

/** Linear layers of a tower with q, k and v apart, as CLIP, SigLIP and Llama 4 name them. */
function towerLayers(to: Weights, prefix: string, names: { norms: [string, string]; out: string }): void {
  const { hidden, intermediate } = tower
  for (let i = 0; i < tower.layers; i++) {
    const layer = `${prefix}.${i}`
    to.towerNorm(`${layer}.${names.norms[0]}`, hidden)
    for (const name of ['q_proj', 'k_proj', 'v_proj', names.out]) to.towerLinear(`${layer}.self_attn.${name}`, hidden, hidden)
    to.towerNorm(`${layer}.${names.norms[1]}`, hidden)
    to.towerLinear(`${layer}.mlp.fc1`, intermediate, hidden)
    to.towerLinear(`${layer}.mlp.fc2`, hidden, intermediate)
  }
}

function gemma3(): Fixture {
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

/** Tiles of 448, as SGLang makes them whatever the files say; larger patches keep their rows few (16 a tile). */
function internVl(): Fixture {
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

const clipMean = [0.48145466, 0.4578275, 0.40821073]
const clipStd = [0.26862954, 0.26130258, 0.27577711]

function llava(): Fixture {
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

function llama4(): Fixture {
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

function prefixed(to: Weights, prefix: string): Weights {
  const within =
    <Rest extends unknown[]>(add: (name: string, ...rest: Rest) => void) =>
    (name: string, ...rest: Rest) =>
      add(prefix + name, ...rest)
  return {
    random: within(to.random),
    ones: within(to.ones),
    towerLinear: within(to.towerLinear),
    towerNorm: within(to.towerNorm),
  }
}

const fixtures = { gemma3, internvl: internVl, llava, llama4 } as const
export type FamilyName = keyof typeof fixtures

/** Writes the model (half a megabyte; the same bytes every time). Returns its folder. */
export function writeFamily(name: FamilyName): string {
  const { folder, tokens, eos, named, template, files, weights } = fixtures[name]()
  const path = join(import.meta.dir, '../made', folder)
  mkdirSync(path, { recursive: true })
  const tokenizerConfig = {
    clean_up_tokenization_spaces: false,
    model_max_length: 8192,
    // Not the published class: transformers 5 rewrites the pre-tokenizers of those that it knows.
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...(processorOf(files) === undefined ? {} : { processor_class: processorOf(files) }),
    ...named,
    chat_template: template,
  }
  const tensors = weightsFile(11, weights)
  const header = JSON.parse(
    new TextDecoder().decode(tensors.subarray(8, 8 + Number(new DataView(tensors.buffer, tensors.byteOffset).getBigUint64(0, true)))),
  )
  const names = Object.keys(header).filter((one) => one !== '__metadata__')
  const all: Record<string, string | Uint8Array> = {
    'chat_template.jinja': template,
    'tokenizer.json': json(tokens.tokenizer),
    'tokenizer_config.json': json(tokenizerConfig),
    'generation_config.json': json({ eos_token_id: eos.map((one) => tokens.ids[one]) }),
    ...Object.fromEntries(Object.entries(files).map(([file, content]) => [file, json(content)])),
    'model.safetensors': tensors,
    // SGLang looks here for what of a Llama 4 is in the files; without it even a tower that is there is not loaded.
    'model.safetensors.index.json': json({ metadata: {}, weight_map: Object.fromEntries(names.map((one) => [one, 'model.safetensors'])) }),
  }
  for (const [file, content] of Object.entries(all)) {
    // Whole or not at all: tests of several processes may come here at once.
    const half = join(path, `${file}.${process.pid}`)
    writeFileSync(half, content)
    renameSync(half, join(path, file))
  }
  return path
}

const processorOf = (files: Record<string, unknown>) =>
  (files['processor_config.json'] as { processor_class?: string } | undefined)?.processor_class

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`

if (import.meta.main) for (const name of Object.keys(fixtures)) console.log(writeFamily(name as FamilyName))
