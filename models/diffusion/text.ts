// Text encoders of the tiny diffusion models, CLIP and T5, with their tokenizers: every character is a token.
import { weights } from './tensors.ts'

/** Width of the text. */
export const textSize = 64
const heads = 2
const blocks = [0, 1]

const marks = { start: '<|startoftext|>', end: '<|endoftext|>' }

/** CLIP's byte-level BPE without merges: each byte, inside a word and at its end. */
export function clipVocab(): Record<string, number> {
  const printable = Array.from({ length: 256 }, (_, b) => (b > 32 && b < 127) || (b > 160 && b < 173) || b > 173)
  let spare = 256
  const letters = printable.map((itself, b) => String.fromCharCode(itself ? b : spare++)).sort()
  const names = [...letters, ...letters.map((letter) => `${letter}</w>`), marks.start, marks.end]
  return Object.fromEntries(names.map((name, id) => [name, id]))
}

export function clipTokenizer(): Record<string, unknown> {
  const names = { bos_token: marks.start, eos_token: marks.end, unk_token: marks.end, pad_token: marks.end }
  return {
    'vocab.json': clipVocab(),
    'merges.txt': '#version: 0.2\n',
    'tokenizer_config.json': {
      tokenizer_class: 'CLIPTokenizer',
      ...names,
      model_max_length: 77,
      add_prefix_space: false,
      do_lower_case: true,
      errors: 'replace',
    },
    'special_tokens_map.json': names,
  }
}

/** Fractions that are whole numbers are left to their defaults: JSON here cannot say 1.0, and transformers refuses 1. */
export function clipConfig() {
  const vocab = clipVocab()
  return {
    architectures: ['CLIPTextModel'],
    bos_token_id: vocab[marks.start],
    eos_token_id: vocab[marks.end],
    hidden_act: 'quick_gelu',
    hidden_size: textSize,
    initializer_range: 0.02,
    intermediate_size: 2 * textSize,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 77,
    model_type: 'clip_text_model',
    num_attention_heads: heads,
    num_hidden_layers: blocks.length,
    pad_token_id: vocab[marks.end],
    projection_dim: textSize,
    torch_dtype: 'bfloat16',
    vocab_size: Object.keys(vocab).length,
  }
}

export function clipWeights(seed: number): Uint8Array {
  return weights(seed, ({ embedding, linear, norm }) => {
    embedding('text_model.embeddings.token_embedding', Object.keys(clipVocab()).length, textSize)
    embedding('text_model.embeddings.position_embedding', 77, textSize)
    for (const i of blocks) {
      const block = `text_model.encoder.layers.${i}`
      norm(`${block}.layer_norm1`, textSize)
      for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) linear(`${block}.self_attn.${name}`, textSize, textSize)
      norm(`${block}.layer_norm2`, textSize)
      linear(`${block}.mlp.fc1`, 2 * textSize, textSize)
      linear(`${block}.mlp.fc2`, textSize, 2 * textSize)
    }
    norm('text_model.final_layer_norm', textSize)
  })
}

const t5Vocab = 256

/** A Unigram tokenizer of the printable ASCII letters, each also as the first of a word. */
export function t5Tokenizer(): Record<string, unknown> {
  const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
  const vocab: [string, number][] = [
    ['<pad>', 0],
    ['</s>', 0],
    ['<unk>', 0],
    ['▁', -2],
    ...letters.map((letter): [string, number] => [letter, -3]),
    ...letters.map((letter): [string, number] => [`▁${letter}`, -2.5]),
  ]
  const extra = Array.from({ length: t5Vocab - vocab.length }, (_, i): [string, number] => [`<extra_id_${i}>`, 0])
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const piece = (type: 'A' | 'B') => ({ Sequence: { id: type, type_id: type === 'A' ? 0 : 1 } })
  const end = (type_id: number) => ({ SpecialToken: { id: '</s>', type_id } })
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }
  const names = { eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' }
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: ['<pad>', '</s>', '<unk>'].map((content, id) => ({ id, content, ...special })),
      normalizer: { type: 'NFKC' },
      pre_tokenizer: metaspace,
      post_processor: {
        type: 'TemplateProcessing',
        single: [piece('A'), end(0)],
        pair: [piece('A'), end(0), piece('B'), end(0)],
        special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
      },
      decoder: metaspace,
      model: { type: 'Unigram', unk_id: 2, vocab: [...vocab, ...extra], byte_fallback: false },
    },
    // Not T5TokenizerFast: transformers 5 rebuilds that class's pieces from a sentencepiece file.
    'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast', ...names, model_max_length: 512 },
    'special_tokens_map.json': names,
  }
}

/** T5, or UMT5 as Wan has it. */
export function t5Config(kind: 't5' | 'umt5') {
  return {
    architectures: [kind === 't5' ? 'T5EncoderModel' : 'UMT5EncoderModel'],
    d_ff: 2 * textSize,
    d_kv: textSize / heads,
    d_model: textSize,
    decoder_start_token_id: 0,
    dense_act_fn: 'gelu_new',
    dropout_rate: 0.1,
    eos_token_id: 1,
    feed_forward_proj: 'gated-gelu',
    is_decoder: false,
    is_encoder_decoder: kind === 'umt5',
    is_gated_act: true,
    layer_norm_epsilon: 1e-6,
    model_type: kind,
    num_decoder_layers: blocks.length,
    num_heads: heads,
    num_layers: blocks.length,
    pad_token_id: 0,
    relative_attention_max_distance: 128,
    relative_attention_num_buckets: 32,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    use_cache: false,
    vocab_size: t5Vocab,
  }
}

/** UMT5 has position weights in every block, T5 in the first. */
export function t5Weights(kind: 't5' | 'umt5', seed: number): Uint8Array {
  return weights(seed, ({ embedding, linear, norm }) => {
    embedding('shared', t5Vocab, textSize)
    for (const i of blocks) {
      const block = `encoder.block.${i}.layer`
      for (const name of ['q', 'k', 'v', 'o']) linear(`${block}.0.SelfAttention.${name}`, textSize, textSize, false)
      if (kind === 'umt5' || i === 0) embedding(`${block}.0.SelfAttention.relative_attention_bias`, 32, heads)
      norm(`${block}.0.layer_norm`, textSize, false)
      linear(`${block}.1.DenseReluDense.wi_0`, 2 * textSize, textSize, false)
      linear(`${block}.1.DenseReluDense.wi_1`, 2 * textSize, textSize, false)
      linear(`${block}.1.DenseReluDense.wo`, textSize, 2 * textSize, false)
      norm(`${block}.1.layer_norm`, textSize, false)
    }
    norm('encoder.final_layer_norm', textSize, false)
  })
}
