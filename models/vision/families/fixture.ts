// What the tiny checkpoints of the families share: their language model's fields, and towers with q, k and v apart.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FamilyTokenizer } from '../family-tokenizers.ts'
import { text, type Weights } from '../layers.ts'

/** `path`: from models/vision. */
export const here = (path: string) => readFileSync(join(import.meta.dir, '..', path), 'utf8')

export interface Fixture {
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
export function languageFields(tokens: FamilyTokenizer, modelType: string, architecture: string) {
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

export const tower = { layers: 2, hidden: 32, intermediate: 64, heads: 2 }

/** Linear layers of a tower with q, k and v apart, as CLIP, SigLIP and Llama 4 name them. */
export function towerLayers(to: Weights, prefix: string, names: { norms: [string, string]; out: string }): void {
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

export function prefixed(to: Weights, prefix: string): Weights {
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
