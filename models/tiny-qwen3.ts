// A Qwen3 of two layers with seeded random weights: small enough for git, real enough for SGLang.
import { normal } from './random.ts'
import { safetensors, type Tensor } from './safetensors.ts'

const hidden = 64
const intermediate = 96
const layers = 2
const heads = 4
const kvHeads = 2
const headDim = 16

export interface Qwen3Shape {
  vocabSize: number
  eosIds: readonly number[]
  padId: number
  contextLength: number
  /** True shares the embedding with the output head (an embedding model has no use for the head). */
  tied: boolean
}

/** config.json of the shape. */
export function qwen3Config(shape: Qwen3Shape) {
  return {
    architectures: ['Qwen3ForCausalLM'],
    attention_bias: false,
    attention_dropout: 0.0,
    bos_token_id: shape.padId,
    eos_token_id: shape.eosIds[0],
    pad_token_id: shape.padId,
    head_dim: headDim,
    hidden_act: 'silu',
    hidden_size: hidden,
    initializer_range: 0.5,
    intermediate_size: intermediate,
    max_position_embeddings: shape.contextLength,
    max_window_layers: layers,
    model_type: 'qwen3',
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: kvHeads,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 10000.0,
    sliding_window: null,
    tie_word_embeddings: shape.tied,
    torch_dtype: 'bfloat16',
    use_cache: true,
    use_sliding_window: false,
    vocab_size: shape.vocabSize,
  }
}

/** model.safetensors: matrices from N(0, 0.5²), norms of ones. */
export function qwen3Weights(shape: Qwen3Shape, seed: number): Uint8Array {
  const next = normal(seed, 0.5)
  const tensors: Tensor[] = []
  const matrix = (name: string, rows: number, columns: number) =>
    tensors.push({ name: `${name}.weight`, shape: [rows, columns], values: Float32Array.from({ length: rows * columns }, next) })
  const ones = (name: string, size: number) =>
    tensors.push({ name: `${name}.weight`, shape: [size], values: new Float32Array(size).fill(1) })
  matrix('model.embed_tokens', shape.vocabSize, hidden)
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`
    ones(`${layer}.input_layernorm`, hidden)
    matrix(`${layer}.self_attn.q_proj`, heads * headDim, hidden)
    matrix(`${layer}.self_attn.k_proj`, kvHeads * headDim, hidden)
    matrix(`${layer}.self_attn.v_proj`, kvHeads * headDim, hidden)
    matrix(`${layer}.self_attn.o_proj`, hidden, heads * headDim)
    ones(`${layer}.self_attn.q_norm`, headDim)
    ones(`${layer}.self_attn.k_norm`, headDim)
    ones(`${layer}.post_attention_layernorm`, hidden)
    matrix(`${layer}.mlp.gate_proj`, intermediate, hidden)
    matrix(`${layer}.mlp.up_proj`, intermediate, hidden)
    matrix(`${layer}.mlp.down_proj`, hidden, intermediate)
  }
  ones('model.norm', hidden)
  if (!shape.tied) matrix('lm_head', shape.vocabSize, hidden)
  return safetensors(tensors)
}
