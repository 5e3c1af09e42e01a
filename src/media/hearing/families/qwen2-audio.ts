// Qwen2-Audio (arXiv 2407.10759): Whisper's window of mel frames, halved by the tower's second convolution and halved again by its pooling.
import { field, idOf, whole } from '../../vision/fields.ts'
import { type HearingFamily, type HearingFiles, type HearingModel, hearingRate } from '../hearing.ts'

export const qwen2AudioFamily: HearingFamily = { name: 'qwen2-audio', modelTypes: ['qwen2_audio'], ear }

function ear({ config, processor, tokenId }: HearingFiles): HearingModel {
  const file = 'preprocessor_config.json'
  const rate = whole(processor.sampling_rate) ?? hearingRate
  if (rate !== hearingRate) throw field(file, 'sampling_rate', `is ${rate}; SGLang reads sounds at ${hearingRate}`)
  const hop = whole(processor.hop_length) ?? 160
  return {
    family: qwen2AudioFamily.name,
    audioTokenId: idOf(config, ['audio_token_index', 'audio_token_id'], tokenId('<|AUDIO|>')),
    windowSecs: whole(processor.chunk_length) ?? 30,
    // A frame that is begun counts (transformers, feature_extraction_whisper.py: the mask is looked at every `hop` samples).
    tokens: (samples) => Math.max(0, Math.floor((half(Math.ceil(samples / hop)) - 2) / 2) + 1),
  }
}

/** Frames behind a convolution of stride 2 and width 3, padded by one. */
const half = (frames: number) => Math.floor((frames - 1) / 2) + 1
