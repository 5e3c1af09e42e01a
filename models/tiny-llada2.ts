// A LLaDA2 (text diffusion) of two layers with seeded random weights. Its vocabulary must reach SGLang's fixed mask id, so weights are 20 MB:
// they are written when needed, git keeps the small files.
import type { TinyPipeline } from './diffusion/pipeline.ts'
import { normal } from './random.ts'
import { safetensors, type Tensor } from './safetensors.ts'

/** SGLang's own for LLaDA2MoeModelLM (srt/dllm/config.py). */
export const llada2Block = 32
const maskId = 156_895

const vocabSize = 156_928
const hidden = 32
const intermediate = 64
const layers = 2
const heads = 4
const kvHeads = 2
const headDim = 16
const experts = 4

export interface Llada2Shape {
  /** Ids below this one have text, and only they are ever produced. */
  textIds: number
  eosIds: readonly number[]
  padId: number
  contextLength: number
}

/** config.json. The first layer is dense, the second one routes to experts, as in the real models. */
function config({ eosIds, padId, contextLength }: Llada2Shape) {
  return {
    architectures: ['LLaDA2MoeModelLM'],
    auto_map: { AutoConfig: 'configuration_llada2_moe.LLaDA2MoeConfig' },
    attention_dropout: 0.0,
    embedding_dropout: 0.0,
    eos_token_id: eosIds[0],
    first_k_dense_replace: 1,
    head_dim: headDim,
    hidden_act: 'silu',
    hidden_size: hidden,
    intermediate_size: intermediate,
    max_position_embeddings: contextLength,
    model_type: 'llada2_moe',
    moe_intermediate_size: 32,
    moe_router_enable_expert_bias: true,
    n_group: 1,
    norm_topk_prob: true,
    num_attention_heads: heads,
    num_experts: experts,
    num_experts_per_tok: 2,
    num_hidden_layers: layers,
    num_key_value_heads: kvHeads,
    num_shared_experts: 1,
    output_dropout: 0.0,
    pad_token_id: padId,
    partial_rotary_factor: 0.5,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 10000.0,
    routed_scaling_factor: 1.0,
    score_function: 'sigmoid',
    tie_word_embeddings: false,
    topk_group: 1,
    torch_dtype: 'bfloat16',
    use_bias: false,
    use_cache: true,
    use_qk_norm: true,
    use_qkv_bias: false,
    vocab_size: vocabSize,
  }
}

/** transformers does not know this model: like the real ones it brings its config class (--trust-remote-code). */
const configuration = `"""Everything that config.json says, as attributes."""

from transformers import PretrainedConfig


class LLaDA2MoeConfig(PretrainedConfig):
    model_type = "llada2_moe"
`

/** For --dllm-algorithm-config: a random model is never sure, and with SGLang's threshold of 0.95 each step would settle one token. */
const algorithm = 'threshold: 0.2\n'

function weights({ textIds }: Llada2Shape, seed: number): Uint8Array {
  const next = normal(seed, 0.5)
  const tensors: Tensor[] = []
  const filled = (count: number) => Float32Array.from({ length: count }, next)
  const matrix = (name: string, rows: number, columns: number) =>
    tensors.push({ name: `${name}.weight`, shape: [rows, columns], values: filled(rows * columns) })
  const ones = (name: string, size: number) =>
    tensors.push({ name: `${name}.weight`, shape: [size], values: new Float32Array(size).fill(1) })
  /** Rows of ids that have text, and of the mask; the others are zeros, which no argmax takes. */
  const vocabulary = (name: string, masked: boolean) => {
    const values = new Float32Array(vocabSize * hidden)
    values.set(filled(textIds * hidden))
    if (masked) values.set(filled(hidden), maskId * hidden)
    tensors.push({ name: `${name}.weight`, shape: [vocabSize, hidden], values })
  }
  const mlp = (name: string, size: number) => {
    matrix(`${name}.gate_proj`, size, hidden)
    matrix(`${name}.up_proj`, size, hidden)
    matrix(`${name}.down_proj`, hidden, size)
  }
  vocabulary('model.word_embeddings', true)
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`
    ones(`${layer}.input_layernorm`, hidden)
    matrix(`${layer}.attention.query_key_value`, (heads + 2 * kvHeads) * headDim, hidden)
    ones(`${layer}.attention.query_layernorm`, headDim)
    ones(`${layer}.attention.key_layernorm`, headDim)
    matrix(`${layer}.attention.dense`, hidden, heads * headDim)
    ones(`${layer}.post_attention_layernorm`, hidden)
    if (i === 0) mlp(`${layer}.mlp`, intermediate)
    else {
      matrix(`${layer}.mlp.gate`, experts, hidden)
      tensors.push({ name: `${layer}.mlp.gate.expert_bias`, shape: [experts], values: new Float32Array(experts) })
      for (let expert = 0; expert < experts; expert++) mlp(`${layer}.mlp.experts.${expert}`, 32)
      mlp(`${layer}.mlp.shared_experts`, 32)
    }
  }
  ones('model.norm', hidden)
  vocabulary('lm_head', false)
  return safetensors(tensors)
}

/** The model's own files; tokenizer and template are those of the other fixtures. */
export function tinyLlada2(shape: Llada2Shape, seed: number): TinyPipeline & { texts: Record<string, string> } {
  return {
    folder: 'tiny-llada2',
    files: { 'config.json': config(shape) },
    texts: { 'configuration_llada2_moe.py': configuration, 'dllm.yaml': algorithm },
    weights: { 'model.safetensors': () => weights(shape, seed) },
  }
}
