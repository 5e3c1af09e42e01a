// The pictures that a language server names: ours by `dsgl:HASH`, which this process has the files of; those of foreign servers by address, under the rules for users' images.
import { AppError } from '../../../lib/errors.ts'
import { type ClipLimits, usualClipLimits } from '../../../media/input/clip/limits.ts'
import type { InputPolicy } from '../../../media/input/policy.ts'
import { readClip } from '../../../media/vision/clip.ts'
import { readPicture } from '../../../media/vision/picture.ts'
import type { VisionModel } from '../../../media/vision/vision.ts'
import type { MediaItem } from '../../types.ts'
import type { Modality } from './frame.ts'

export const namePrefix = 'dsgl:'

/** What a language worker of ours tells SGLang in place of the file. */
export function nameOf(item: Pick<MediaItem, 'hash'>): string {
  return namePrefix + item.hash
}

export interface ItemSources {
  /** The pictures of requests that run in this process, by hash. */
  files?: (hash: string) => MediaItem | undefined
  /** How pictures of foreign language servers are read; absent: such servers are refused. */
  foreign?: Foreign
}

interface Foreign {
  policy: InputPolicy
  model: VisionModel
  /** Of clips; absent: the usual ones. */
  clips?: ClipLimits
}

/** Rejects with `invalid_image`, `invalid_value` or `unsupported_parameter` naming the item, or `media_not_found` for a name that is not (any more) known here. */
export async function readItem(
  { url, detail }: { url: string; detail?: string },
  param: string,
  modality: Modality,
  sources: ItemSources,
  signal: AbortSignal,
): Promise<MediaItem> {
  if (url.startsWith(namePrefix)) {
    const item = sources.files?.(url.slice(namePrefix.length))
    if (item !== undefined) return item
    throw new AppError('media_not_found', { param, message: `The picture ${url} is not here; was its request ended?` })
  }
  const { foreign } = sources
  if (foreign === undefined) throw new AppError('invalid_value', { param, message: 'This encoder serves its own language worker only.' })
  if (modality === 'VIDEO') return foreignClip(url, param, foreign, signal)
  const { file, contentType, width, height, hash } = await readPicture(url, detail, foreign.policy, param, signal)
  const { model } = foreign
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
async function foreignClip(url: string, param: string, { policy, model, clips }: Foreign, signal: AbortSignal): Promise<MediaItem> {
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
