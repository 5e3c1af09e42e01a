// Qwen2-Audio, tiny: Whisper's encoder over Qwen2.
import { llmVocabSize } from '../../tokenizers.ts'
import { byteLevelWith } from '../family-tokenizers.ts'
import { text, textLayers } from '../layers.ts'
import { type Fixture, here, languageFields, prefixed, tower } from './fixture.ts'

/** Of a window of 30 seconds at 16 kHz, a frame each 10 ms; the tower halves them, and the pooling again. */
const frames = 3000
const mels = 128

export function qwen2Audio(): Fixture {
  const marks = ['<|audio_bos|>', '<|AUDIO|>', '<|audio_eos|>']
  // No id without a token: SGLang 0.5.23 writes a NUL for one in its answers, we write nothing.
  const tokens = { ...byteLevelWith(marks), vocabSize: llmVocabSize + marks.length }
  const { ids } = tokens
  return {
    folder: 'tiny-qwen2-audio',
    tokens,
    eos: ['<|im_end|>', '<|endoftext|>'],
    named: { eos_token: '<|im_end|>', pad_token: '<|endoftext|>' },
    template: here('templates/qwen2-audio.jinja'),
    files: {
      'config.json': {
        architectures: ['Qwen2AudioForConditionalGeneration'],
        audio_config: {
          activation_function: 'gelu',
          d_model: tower.hidden,
          encoder_attention_heads: tower.heads,
          encoder_ffn_dim: tower.intermediate,
          encoder_layers: tower.layers,
          max_source_positions: frames / 2,
          model_type: 'qwen2_audio_encoder',
          num_mel_bins: mels,
          scale_embedding: false,
        },
        audio_token_index: ids['<|AUDIO|>'],
        model_type: 'qwen2_audio',
        text_config: { ...languageFields(tokens, 'qwen2', 'Qwen2ForCausalLM'), hidden_act: 'silu', use_sliding_window: false },
        torch_dtype: 'bfloat16',
        vocab_size: tokens.vocabSize,
      },
      'preprocessor_config.json': {
        chunk_length: 30,
        feature_extractor_type: 'WhisperFeatureExtractor',
        feature_size: mels,
        hop_length: 160,
        n_fft: 400,
        n_samples: 480000,
        nb_max_frames: frames,
        padding_side: 'right',
        padding_value: 0.0,
        processor_class: 'Qwen2AudioProcessor',
        return_attention_mask: true,
        sampling_rate: 16000,
      },
      'processor_config.json': { processor_class: 'Qwen2AudioProcessor' },
    },
    weights(to) {
      textLayers(prefixed(to, 'language_model.'), 'model', tokens.vocabSize, 'qwen2')
      const { hidden, intermediate } = tower
      const tall = { conv1: mels, conv2: hidden }
      for (const [name, from] of Object.entries(tall)) {
        to.random(`audio_tower.${name}.weight`, [hidden, from, 3], 1 / Math.sqrt(3 * from))
        to.random(`audio_tower.${name}.bias`, [hidden], 0.05)
      }
      to.random('audio_tower.embed_positions.weight', [frames / 2, hidden], 0.5)
      for (let i = 0; i < tower.layers; i++) {
        const layer = `audio_tower.layers.${i}`
        to.towerNorm(`${layer}.self_attn_layer_norm`, hidden)
        for (const name of ['q_proj', 'v_proj', 'out_proj']) to.towerLinear(`${layer}.self_attn.${name}`, hidden, hidden)
        to.random(`${layer}.self_attn.k_proj.weight`, [hidden, hidden], 0.15)
        to.towerNorm(`${layer}.final_layer_norm`, hidden)
        to.towerLinear(`${layer}.fc1`, intermediate, hidden)
        to.towerLinear(`${layer}.fc2`, hidden, intermediate)
      }
      to.towerNorm('audio_tower.layer_norm', hidden)
      to.towerLinear('multi_modal_projector.linear', text.hidden, hidden)
    },
  }
}
