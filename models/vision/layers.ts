// Seeded weights of the tiny vision-language models, layer by layer. Towers get N(0, 0.15²) with biases of N(0, 0.05²), as wide as a trained one's
// output is: with the usual 0.02 every picture would look the same to the language model.
import { normal } from '../random.ts'
import { safetensors, type Tensor } from '../safetensors.ts'

export const towerStd = 0.15
export const towerBiasStd = 0.05
/** Of the language models, as the text fixtures have it. */
export const textStd = 0.5

export interface Weights {
  /** N(0, std²). */
  random(name: string, shape: number[], std: number): void
  ones(name: string, size: number): void
  /** `name.weight` [outputs, inputs] and `name.bias`, both of a tower's spread. */
  towerLinear(name: string, outputs: number, inputs: number): void
  /** LayerNorm: ones and a bias that is not nothing. */
  towerNorm(name: string, size: number): void
}

/** One safetensors file, in the order in which `build` names the tensors. */
export function weightsFile(seed: number, build: (weights: Weights) => void): Uint8Array {
  const next = normal(seed, 1)
  const tensors: Tensor[] = []
  const add = (name: string, shape: number[], value: () => number) => {
    const size = shape.reduce((product, side) => product * side, 1)
    tensors.push({ name, shape, values: Float32Array.from({ length: size }, value) })
  }
  const random = (name: string, shape: number[], std: number) => add(name, shape, () => next() * std)
  build({
    random,
    ones: (name, size) => add(name, [size], () => 1),
    towerLinear(name, outputs, inputs) {
      random(`${name}.weight`, [outputs, inputs], towerStd)
      random(`${name}.bias`, [outputs], towerBiasStd)
    },
    towerNorm(name, size) {
      add(`${name}.weight`, [size], () => 1)
      random(`${name}.bias`, [size], towerBiasStd)
    },
  })
  return safetensors(tensors)
}

/** Shape of both models' language part: Qwen's, of two layers. */
export const text = { hidden: 64, intermediate: 128, layers: 2, heads: 4, kvHeads: 2, headDim: 16 }

/** The language part under `prefix`; Qwen2 has biases at q, k and v, Qwen3 norms there, Llama neither. */
export function textLayers(weights: Weights, prefix: string, vocabSize: number, kind: 'qwen2' | 'qwen3' | 'llama'): void {
  const { hidden, intermediate, layers, heads, kvHeads, headDim } = text
  const matrix = (name: string, rows: number, columns: number) => weights.random(`${name}.weight`, [rows, columns], textStd)
  matrix(`${prefix}.embed_tokens`, vocabSize, hidden)
  for (let i = 0; i < layers; i++) {
    const layer = `${prefix}.layers.${i}`
    weights.ones(`${layer}.input_layernorm.weight`, hidden)
    for (const [name, rows] of [
      ['q_proj', heads],
      ['k_proj', kvHeads],
      ['v_proj', kvHeads],
    ] as const) {
      matrix(`${layer}.self_attn.${name}`, rows * headDim, hidden)
      if (kind === 'qwen2') weights.random(`${layer}.self_attn.${name}.bias`, [rows * headDim], textStd)
    }
    matrix(`${layer}.self_attn.o_proj`, hidden, heads * headDim)
    if (kind === 'qwen3') for (const name of ['q_norm', 'k_norm']) weights.ones(`${layer}.self_attn.${name}.weight`, headDim)
    weights.ones(`${layer}.post_attention_layernorm.weight`, hidden)
    matrix(`${layer}.mlp.gate_proj`, intermediate, hidden)
    matrix(`${layer}.mlp.up_proj`, intermediate, hidden)
    matrix(`${layer}.mlp.down_proj`, hidden, intermediate)
  }
  weights.ones(`${prefix}.norm.weight`, hidden)
  weights.random('lm_head.weight', [vocabSize, hidden], textStd)
}

/** Ids and limits that both fixtures share with the text ones. */
export interface ChatShape {
  vocabSize: number
  eosIds: readonly number[]
  padId: number
  contextLength: number
  /** Of <|vision_start|>, <|vision_end|>, <|image_pad|>, <|video_pad|>. */
  visionIds: { start: number; end: number; image: number; video: number }
}

/** The ids as config.json names them. */
export function visionIdFields({ visionIds }: ChatShape) {
  return {
    image_token_id: visionIds.image,
    video_token_id: visionIds.video,
    vision_end_token_id: visionIds.end,
    vision_start_token_id: visionIds.start,
  }
}
