// What a served model sees with: its folder says how pictures become rows, its engine that it takes them, the options which pictures are read.
import type { EngineInfo } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { stageTimer } from '../lib/vision-stages.ts'
import type { Plan, VisionModel } from '../media/vision/vision.ts'
import type { Sight } from '../pipeline/pictures.ts'
import { clipLimits, inputPolicy, noteFfmpeg } from './input-policy.ts'
import type { InputOptions, ModelOptions } from './options.ts'

/** The vision model of `folder`, of `config` what stands in its config.json; undefined: it serves text alone. Rejects with `model_files_invalid` or `invalid_setting`. */
export async function visionOf(
  folder: string,
  config: Record<string, unknown>,
  { mustSee }: Pick<ModelOptions, 'mustSee'>,
): Promise<VisionModel | undefined> {
  // Text models do not load what they do not need.
  const sees = config.vision_config !== undefined
  if (!sees && mustSee === undefined) return undefined
  const { visionModelOf } = await import('../media/vision/open.ts')
  try {
    const model = await visionModelOf(folder)
    if (model !== undefined || mustSee === undefined) return model
  } catch (error) {
    if (mustSee !== undefined) throw error
    log.warn({ model: folder }, `served for text alone: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
  throw new AppError('invalid_setting', {
    param: mustSee,
    message: `${mustSee}: ${folder} is a text model (its config.json has no vision_config)`,
  })
}

/** undefined: the model takes text alone. `name`: the model's in metrics. */
export function sightOf(
  model: VisionModel | undefined,
  { sight }: Pick<EngineInfo, 'sight'>,
  input: InputOptions,
  name: string,
): Sight | undefined {
  if (model === undefined || sight === undefined) return undefined
  const policy = inputPolicy(input)
  const limits = clipLimits(input)
  if (model.clips !== undefined) noteFfmpeg(input)
  const time = stageTimer(name)
  return {
    model,
    ...sight,
    async read({ kind, url, frames, detail, sampling, param }, signal, onTokens) {
      if (kind === 'image') {
        const { readPicture } = await import('../media/vision/picture.ts')
        return readPicture(url, detail, policy, param, signal, time)
      }
      const { readClip, readFrames } = await import('../media/vision/clip.ts')
      // That the model has a way for clips was checked before anything is read (checkMedia).
      const reading = {
        model: model.clips!,
        policy,
        limits,
        keepFile: sight.clips === 'file',
        param,
        signal,
        ...(sampling && { wishes: sampling }),
        ...(onTokens && { onPlan: ({ tokens }: Plan) => onTokens(tokens) }),
      }
      return frames === undefined ? readClip(url, reading) : readFrames(frames, reading)
    },
  }
}
