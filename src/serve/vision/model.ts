// What encoding a model's pictures needs to know of it, and which models can have them encoded apart.
import { createHash } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'
import type { VisionModel } from '../../media/vision/vision.ts'
import { resolveModel } from '../../tokenizer/hub.ts'
import { readModelFolder } from '../../tokenizer/model-files.ts'
import type { ModelOptions } from '../options.ts'
import { visionOf } from '../sight.ts'

export interface SeeingModel {
  /** The first is the id. */
  names: readonly string[]
  /** As the user gave it. */
  path: string
  folder: string
  sight: VisionModel
  /** Sum of config.json. */
  config: string
  /** Values in a row, and patches that one stands for. */
  dim: number
  patchesPerRow: number
  /** Attention heads of its tower. */
  heads: number
}

type Json = Record<string, unknown>

/** Families whose rows SGLang takes from elsewhere (srt/arg_groups/pd_disaggregation_hook.py, 0.5.23, as far as pictures are prepared here). */
const apart: ReadonlySet<string> = new Set(['qwen2_vl', 'qwen2_5_vl', 'qwen3_vl'])

/** Rejects with `model_path_not_found`, `model_files_invalid` or, where its pictures cannot be encoded apart, `invalid_setting`. */
export async function readSeeingModel(path: string, options: ModelOptions, flag: string): Promise<SeeingModel> {
  const folder = await resolveModel(path, options.hub)
  const { config } = await readModelFolder(folder)
  const sight = await visionOf(folder, config, { mustSee: flag })
  return seeingModel({ path, folder, config, sight: sight!, names: options.servedNames.length > 0 ? options.servedNames : [path] }, flag)
}

/** The same of what was read already. `flag`: who wants it encoded apart. Throws `invalid_setting`. */
export function seeingModel(
  { names, path, folder, config, sight }: Pick<SeeingModel, 'names' | 'path' | 'folder'> & { config: Json; sight: VisionModel | undefined },
  flag: string,
): SeeingModel {
  if (sight === undefined)
    throw new AppError('invalid_setting', { param: flag, message: `${flag}: ${path} takes no pictures that could be encoded apart` })
  if (!apart.has(sight.family))
    throw new AppError('invalid_setting', {
      param: flag,
      message:
        `${flag}: SGLang's split of vision and language does not take ${String(config.model_type)} models, and there is no encoder of ours for them ` +
        '(Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5 are taken). Leave the flag out: with --enable-multimodal the engine encodes the pictures itself.',
    })
  const tower = object(config.vision_config)
  const hidden = number(object(config.text_config).hidden_size) ?? number(config.hidden_size) ?? number(tower.out_hidden_size)
  if (hidden === undefined)
    throw new AppError('model_files_invalid', { param: '--model-path', message: `config.json of ${path} has no hidden_size` })
  const levels = Array.isArray(tower.deepstack_visual_indexes) ? tower.deepstack_visual_indexes.length : 0
  return {
    ...{ names, path, folder, sight },
    config: createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 32),
    dim: hidden * (1 + levels),
    patchesPerRow: (number(tower.spatial_merge_size) ?? 2) ** 2,
    heads: number(tower.num_heads) ?? 16,
  }
}

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
