// Model folders for speed tests: real shapes, dummy weights (`--load-format dummy`), a small tokenizer.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Shape {
  hidden_size: number
  intermediate_size: number
  num_hidden_layers: number
  num_attention_heads: number
  num_key_value_heads: number
}

/** Sizes of Qwen3-0.6B and Qwen3-8B (their published config.json). */
export const shapes: Record<string, Shape> = {
  q06: { hidden_size: 1024, intermediate_size: 3072, num_hidden_layers: 28, num_attention_heads: 16, num_key_value_heads: 8 },
  q8b: { hidden_size: 4096, intermediate_size: 12288, num_hidden_layers: 36, num_attention_heads: 32, num_key_value_heads: 8 },
}

/** Writes `folder` as a Qwen3 model of that shape with the tokenizer of another model folder. */
export function writeShape(folder: string, name: string, tokenizerFolder: string): void {
  const shape = shapes[name]
  if (shape === undefined) throw new Error(`unknown shape ${name}; known: ${Object.keys(shapes).join(', ')}`)
  mkdirSync(folder, { recursive: true })
  const base = JSON.parse(readFileSync(join(tokenizerFolder, 'config.json'), 'utf8'))
  const config = {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    head_dim: 128,
    hidden_act: 'silu',
    max_position_embeddings: 40960,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000,
    tie_word_embeddings: name === 'q06',
    attention_bias: false,
    initializer_range: 0.02,
    torch_dtype: 'bfloat16',
    vocab_size: base.vocab_size,
    bos_token_id: base.bos_token_id,
    eos_token_id: base.eos_token_id,
    ...shape,
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 1))
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'chat_template.jinja'])
    if (existsSync(join(tokenizerFolder, file))) copyFileSync(join(tokenizerFolder, file), join(folder, file))
}
