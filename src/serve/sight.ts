// What a served model sees and hears with: its folder says how pictures and sounds become rows, its engine that it takes them, the options which pictures are read.
import type { EngineInfo } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { stageTimer } from '../lib/vision-stages.ts'
import type { HearingModel } from '../media/hearing/hearing.ts'
import type { Plan, VisionModel } from '../media/vision/vision.ts'
import type { Sight } from '../pipeline/media-parts.ts'
import { clipLimits, inputPolicy, noteFfmpeg, noteFolder } from './input-policy.ts'
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
    message: `${mustSee}: ${folder} ${blind(config)}`,
  })
}

const blind = ({ audio_config }: Record<string, unknown>): string =>
  audio_config === undefined
    ? 'is a text model (its config.json has no vision_config)'
    : 'hears sounds and sees no pictures, and no encoder takes sounds apart from their language model. Leave the flag out: with --enable-multimodal the engine hears them itself'

/** The hearing model of `folder`; undefined: it takes no sounds. Rejects with `model_files_invalid`. */
export async function hearingOf(folder: string, config: Record<string, unknown>): Promise<HearingModel | undefined> {
  if (config.audio_config === undefined) return undefined
  const { hearingModelOf } = await import('../media/hearing/open.ts')
  return hearingModelOf(folder)
}

/** undefined: the model takes text alone. `name`: the model's in metrics. */
export function sightOf(
  { vision: model, hearing }: { vision: VisionModel | undefined; hearing: HearingModel | undefined },
  { sight }: Pick<EngineInfo, 'sight'>,
  input: InputOptions,
  name: string,
): Sight | undefined {
  const hears = hearing !== undefined && sight?.sounds === true
  if (sight === undefined || (model === undefined && !hears)) return undefined
  const policy = inputPolicy(input)
  noteFolder(input)
  const limits = clipLimits(input)
  if (model?.clips !== undefined || hears) noteFfmpeg(input)
  const time = stageTimer(name)
  const { padScheme, clips } = sight
  return {
    ...(model && { model }),
    ...(hears && { hearing }),
    ...(padScheme && { padScheme }),
    ...(clips && { clips }),
    async read({ kind, url, frames, detail, sampling, param }, signal, onTokens) {
      if (kind === 'image') {
        const { readPicture } = await import('../media/vision/picture.ts')
        return readPicture(url, detail, policy, param, signal, time)
      }
      // That the model takes such parts was checked before anything is read (checkMedia).
      if (kind === 'audio') {
        const { readSound } = await import('../media/hearing/sound.ts')
        return readSound(url, { model: hearing!, policy, limits, param, signal })
      }
      const { readClip, readFrames } = await import('../media/vision/clip.ts')
      const reading = {
        model: model!.clips!,
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
