// Is a tower the one of the model whose prompts it is to fill? By what both say of themselves: of weights that differ alone nothing shows here.
import { join } from 'node:path'
import { AppError } from '../../../lib/errors.ts'
import { readJsonIfThere } from '../../../tokenizer/json-file.ts'
import type { TowerFacts } from './tower-file.ts'

interface Config {
  model_type?: string
  vision_config?: Record<string, unknown>
}

/** Rejects with `invalid_setting` when config.json in `modelPath` describes another tower. */
export async function checkSameModel(facts: TowerFacts, modelPath: string): Promise<void> {
  const config = (await readJsonIfThere<Config>(join(modelPath, 'config.json'))) ?? {}
  const vision = config.vision_config ?? {}
  // Qwen2-VL calls the tower's own width embed_dim, and what leaves it hidden_size.
  const older = config.model_type === 'qwen2_vl'
  const levels = Array.isArray(vision.deepstack_visual_indexes) ? vision.deepstack_visual_indexes.length : 0
  const wanted = {
    family: config.model_type,
    depth: vision.depth,
    hidden: vision[older ? 'embed_dim' : 'hidden_size'],
    width: Number(vision[older ? 'hidden_size' : 'out_hidden_size']) * (1 + levels),
  }
  for (const [name, value] of Object.entries(wanted)) {
    const found = facts[name as keyof typeof wanted]
    if (value === undefined || value === found) continue
    throw new AppError('invalid_setting', {
      param: '--vision-tower',
      message: `The vision tower is that of another model: its ${name} is ${found}, ${modelPath} has ${value}. Write this model's with: dynamo-sglang export-vision --model-path ${modelPath}`,
    })
  }
}
