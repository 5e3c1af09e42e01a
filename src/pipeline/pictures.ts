// The pictures of a chat: read before any engine hears of the request, counted, and put into its prompt in place of the template's placeholders.
import type { MediaItem } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { type PadScheme, padPictures } from '../lib/media-pads.ts'
import type { Picture } from '../media/vision/picture.ts'
import type { VisionModel } from '../media/vision/vision.ts'
import type { MediaPart } from './types.ts'

/** What a served model brings to see with. */
export interface Sight {
  readonly model: VisionModel
  /** How the engine pads pictures before it names KV blocks; absent: its names cannot be foreseen, but other pictures still make other names. */
  readonly padScheme?: PadScheme
  /** Rejects with an AppError that names the part. */
  read(part: MediaPart, signal: AbortSignal): Promise<Picture>
}

export interface Seen {
  /** One id for each row of each picture. */
  promptIds: Uint32Array
  media: MediaItem[]
  /** What blocks are named by: `promptIds` with the pictures' pad values. */
  routeIds: Uint32Array
}

/** Throws where a model cannot take these parts: before anything is fetched. */
export function checkMedia(media: readonly MediaPart[], sight: Sight | undefined, model: string): Sight {
  const takes = (kind: MediaPart['kind']) => kind === 'image' && sight !== undefined
  const wrong = media.find(({ kind }) => !takes(kind))
  if (wrong === undefined && sight !== undefined) return sight
  const { kind, param } = wrong!
  const noun = { image: 'pictures', video: 'clips', audio: 'sounds' }[kind]
  throw new AppError('unsupported_parameter', {
    param: param.replace(/\.\w+_url(\.url)?$/, ''),
    message:
      sight === undefined
        ? `${model} is served as a text model; it takes no ${noun}. Ask a vision model, or start the server with --enable-multimodal if this one is.`
        : `${model} takes no ${noun} here; send pictures as image_url parts.`,
  })
}

/** Reads all pictures side by side; the first failure ends the others. `ids` is the rendered prompt, one placeholder a picture. */
export async function seePictures(ids: Uint32Array, media: readonly MediaPart[], sight: Sight, signal: AbortSignal): Promise<Seen> {
  const single = sight.model.placeholderId ?? sight.model.imageTokenId
  const places: number[] = []
  for (let i = 0; i < ids.length; i++) if (ids[i] === single) places.push(i)
  if (places.length !== media.length)
    throw new AppError('invalid_value', {
      param: 'messages',
      message: `The prompt has ${places.length} places for ${media.length} pictures: either the chat template drops some, or a text part contains the model's picture token. Remove the token from the text.`,
    })
  const pictures = await readAll(media, sight, signal)
  return expanded(ids, places, pictures, media, sight)
}

async function readAll(media: readonly MediaPart[], sight: Sight, signal: AbortSignal): Promise<Picture[]> {
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  try {
    return await Promise.all(media.map((part) => sight.read(part, either)))
  } catch (error) {
    ended.abort()
    throw error
  }
}

function expanded(
  ids: Uint32Array,
  places: readonly number[],
  pictures: readonly Picture[],
  parts: readonly MediaPart[],
  { model, padScheme = 'wide' }: Sight,
): Seen {
  const plans = pictures.map(({ width, height }, i) => model.plan(width, height, parts[i]!.param))
  const runs = plans.map((plan) => model.expand(plan))
  const promptIds = new Uint32Array(ids.length + runs.reduce((sum, run) => sum + run.length - 1, 0))
  const media: MediaItem[] = []
  let from = 0
  let to = 0
  for (const [i, place] of places.entries()) {
    const run = runs[i]!
    promptIds.set(ids.subarray(from, place), to)
    to += place - from
    promptIds.set(run, to)
    const { file, contentType, width, height, hash } = pictures[i]!
    const where = { offset: to, tokens: run.length, placeholder: model.imageTokenId, single: ids[place]! }
    media.push({ kind: 'image', file, contentType, hash, width, height, grid: plans[i]!.grid, ...where })
    to += run.length
    from = place + 1
  }
  promptIds.set(ids.subarray(from), to)
  return { promptIds, media, routeIds: padPictures(promptIds, media, padScheme) }
}
