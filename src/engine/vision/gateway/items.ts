// The pictures and clips that a language server names by address, read under the rules for users' images.
import { AppError } from '../../../lib/errors.ts'
import { atMost } from '../../../media/input/at-most.ts'
import { type ClipLimits, usualClipLimits } from '../../../media/input/clip/limits.ts'
import type { InputPolicy } from '../../../media/input/policy.ts'
import { readClip } from '../../../media/vision/clip.ts'
import { readPicture } from '../../../media/vision/picture.ts'
import type { VisionModel } from '../../../media/vision/vision.ts'
import type { MediaItem } from '../../types.ts'
import type { Modality } from './frame.ts'

/** Where one picture or clip of a question comes from. Rejects with an AppError (of `invalid_image`, `invalid_value` or `unsupported_parameter`) naming `param`. */
export type ReadItem = (item: AskedItem, param: string, modality: Modality, signal: AbortSignal) => Promise<MediaItem>

export interface AskedItem {
  url: string
  detail?: string
}

export interface ItemSources {
  policy: InputPolicy
  model: VisionModel
  /** Of clips; absent: the usual ones. */
  clips?: ClipLimits
}

/** Read at a time, of one question, and bytes of what is made of its files, as of a chat: a clip's frames are larger than its file. */
const readAtOnce = 8
const maxBytes = 600_000_000

/** All pictures or clips of a question in order, some at a time. Rejects with the first failure (`signal` must end the others), or the signal's reason. */
export function readItems(asked: readonly AskedItem[], read: ReadItem, modality: Modality, signal: AbortSignal): Promise<MediaItem[]> {
  const turn = atMost(readAtOnce)
  let bytes = 0
  const readOne = async (item: AskedItem, param: string): Promise<MediaItem> => {
    const one = await read(item, param, modality, signal)
    bytes += (one.frames ?? []).reduce((sum, { length }) => sum + length, one.file.length)
    if (bytes <= maxBytes) return one
    const message = `What the model looks at in the pictures and clips is more than ${maxBytes / 1e6} MB; it was reached at ${param}. Send fewer or smaller ones.`
    throw new AppError('invalid_image', { param, message })
  }
  return Promise.all(asked.map((item, i) => turn(() => readOne(item, `mm_items[${i}]`), signal)))
}

/** Reads what language servers name by address. */
export function itemReader(sources: ItemSources): ReadItem {
  return (item, param, modality, signal) => readItem(item, param, modality, sources, signal)
}

async function readItem(
  { url, detail }: AskedItem,
  param: string,
  modality: Modality,
  sources: ItemSources,
  signal: AbortSignal,
): Promise<MediaItem> {
  if (modality === 'VIDEO') return readItemClip(url, param, sources, signal)
  const { file, contentType, width, height, hash } = await readPicture(url, detail, sources.policy, param, signal)
  const { model } = sources
  const { grid, tokens } = model.plan(width, height, param)
  return {
    kind: 'image',
    file,
    contentType,
    hash,
    width,
    height,
    grid,
    offset: 0,
    tokens,
    placeholder: model.imageTokenId,
    single: model.imageTokenId,
  }
}

/** Sampled as SGLang's own encoder does it. */
async function readItemClip(url: string, param: string, { policy, model, clips }: ItemSources, signal: AbortSignal): Promise<MediaItem> {
  const { clips: reader, videoTokenId } = model
  if (reader === undefined || videoTokenId === undefined)
    throw new AppError('unsupported_parameter', { param, message: `Models of ${model.family} take no clips here.` })
  const clip = await readClip(url, { model: reader, policy, limits: clips ?? usualClipLimits, param, signal })
  const { frames, width, height, hash, total, fps, positions, secondsPerFrame, chosen } = clip
  const { grid, tokens } = reader.plan(frames.length, width, height, param)
  const seconds = reader.seconds(positions, fps)
  return {
    ...({ kind: 'video', file: new Uint8Array(), contentType: 'video/mp4', offset: 0 } as const),
    ...{ hash, width, height, grid, tokens, placeholder: videoTokenId, single: videoTokenId, frames, secondsPerFrame },
    clip: { frames: total, fps, positions, chosen, ...(seconds === undefined ? {} : { seconds }) },
  }
}
