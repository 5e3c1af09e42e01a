// Seam: how one model hears sounds, read from its folder. How long a sound is in the prompt follows from the number of its samples alone.

/** Samples a second that every model's sounds are brought to; SGLang's own rate (srt/utils/common.py, load_audio). */
export const hearingRate = 16_000

export interface HearingModel {
  readonly family: string
  /** The id that templates leave for a sound, and that is repeated for each of its rows. */
  readonly audioTokenId: number
  /** What lies behind so many seconds of a sound the model cannot hear; its engine would leave it out without a word. */
  readonly windowSecs: number
  /** Rows of a sound of `samples` at `hearingRate`; 0: too short to be one. */
  tokens(samples: number): number
}

export interface HearingFamily {
  name: string
  /** `model_type` in config.json. */
  modelTypes: readonly string[]
  /** Throws `model_files_invalid` naming the file and field. */
  ear(files: HearingFiles): HearingModel
}

/** The files of a model folder, as far as they say how sounds are read: config.json, preprocessor_config.json, special tokens. */
export interface HearingFiles {
  config: Readonly<Record<string, unknown>>
  processor: Readonly<Record<string, unknown>>
  tokenId(text: string): number | undefined
}
