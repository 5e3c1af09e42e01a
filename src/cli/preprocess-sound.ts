// `dynamo-sglang preprocess FILE` of a model that hears: what it gets of a sound.
import { type HearingModel, hearingRate } from '../media/hearing/hearing.ts'
import { invalid } from './settings/rules.ts'

export interface SoundReport {
  /** As the command line names it. */
  file: string
  family: string
  /** What its first bytes say that it is. */
  container: string
  seconds: number
  /** Of one channel, `rate` a second. */
  samples: number
  rate: number
  /** In the prompt. */
  tokens: number
  /** Of the WAV file that the engine gets; the sound's name in caches. */
  wav_sha256: string
}

/** The hearing model of the folder; undefined: it is a seeing one, or none is named. Throws `invalid_setting` for a pictures' processor beside it, `model_files_invalid`. */
export async function hearingOf(options: {
  processor: string | undefined
  modelPath: string | undefined
}): Promise<HearingModel | undefined> {
  const { processor, modelPath } = options
  if (modelPath === undefined) return undefined
  const { hearingModelOf } = await import('../media/hearing/open.ts')
  const model = await hearingModelOf(modelPath)
  if (model !== undefined && processor !== undefined)
    throw invalid('--processor', `--processor ${processor} is for pictures, and ${modelPath} hears sounds: leave it out`)
  return model
}

/** Rejects with `invalid_image` naming `file`: no sound, broken, empty, too short or too long for the model; `unsupported_parameter` without ffmpeg. */
export async function soundReport(file: string, bytes: Uint8Array, model: HearingModel): Promise<SoundReport> {
  const [{ soundOf }, { usualClipLimits }] = await Promise.all([
    import('../media/hearing/sound.ts'),
    import('../media/input/clip/limits.ts'),
  ])
  const { signal } = new AbortController()
  const { container, samples, hash } = await soundOf(bytes, { model, limits: usualClipLimits, param: file, signal })
  const of = { file, family: model.family, container, seconds: samples / hearingRate, samples, rate: hearingRate }
  return { ...of, tokens: model.tokens(samples), wav_sha256: hash }
}
