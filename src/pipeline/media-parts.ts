// The pictures, clips and sounds of a chat: read before any engine hears of the request, counted, and put into its prompt in place of the template's placeholders.
import type { MediaItem } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { type PadScheme, padPictures } from '../lib/media-pads.ts'
import type { HearingModel } from '../media/hearing/hearing.ts'
import type { Sound } from '../media/hearing/sound.ts'
import type { Clip } from '../media/vision/clip.ts'
import { clipRun, timeTexts } from '../media/vision/clip-prompt.ts'
import type { Picture } from '../media/vision/picture.ts'
import type { VisionModel } from '../media/vision/vision.ts'
import { readOnce } from './read-once.ts'
import type { MediaPart } from './types.ts'

/** What a served model brings to see and hear with: `model`, `hearing`, or both. */
export interface Sight {
  /** Absent: it sees nothing. */
  readonly model?: VisionModel
  /** Absent: it hears nothing. */
  readonly hearing?: HearingModel
  /** How the engine pads pictures before it names KV blocks; absent: its names cannot be foreseen, but other pictures must not look like equal prompts. */
  readonly padScheme?: PadScheme
  /** How the engine takes clips: their frames, or the client's file; absent: not at all. */
  readonly clips?: 'frames' | 'file'
  /**
   * A picture for an image part, a clip for a video part, a sound for an audio part. Rejects with an AppError that names the part, and with what `onTokens` throws: of a clip
   * it hears the rows before all is decoded.
   */
  read(part: MediaPart, signal: AbortSignal, onTokens?: (tokens: number) => void): Promise<Picture | Clip | Sound>
}

export interface Seen {
  /** One id for each row of each picture. */
  promptIds: Uint32Array
  media: MediaItem[]
  /** What blocks are named by: `promptIds` with the pictures' pad values. */
  routeIds: Uint32Array
}

/** Ids of a text that is no part of the template (the times of a clip). */
export type Encode = (text: string) => Uint32Array | Promise<Uint32Array>

/** Of one request, so that it is not thousands of downloads. */
const mostParts = 1500
/** Read at a time, of one request. */
const atOnce = 8
/** Of one request's files together, as the client sent them: as much as one clip may have. */
const mostSent = 200_000_000
/** Of what is made of them for the engine: the frames of the longest clip are 540 MB where nothing in them can be packed. */
const mostMade = 600_000_000

const nouns = { image: 'pictures', video: 'clips', audio: 'sounds' } as const
const ways = { image: 'pictures as image_url parts', video: 'clips as video_url parts', audio: 'sounds as audio_url parts' } as const

/** Throws where a model cannot take these parts, or not so many: before anything is fetched. */
export function checkMedia(media: readonly MediaPart[], sight: Sight | undefined, model: string): Sight {
  if (media.length > mostParts) {
    const message = `The request has ${media.length} pictures, clips and sounds; ${mostParts} are the most. Send fewer, or several requests.`
    throw new AppError('invalid_value', { param: 'messages', message })
  }
  const seesClips = sight?.clips !== undefined && sight.model?.clips !== undefined && sight.model.videoTokenId !== undefined
  const takes = { image: sight?.model !== undefined, video: seesClips, audio: sight?.hearing !== undefined }
  const wrong = media.find(({ kind }) => !takes[kind])
  if (wrong === undefined && sight !== undefined) return sight
  const { kind, param } = wrong!
  const noun = nouns[kind]
  throw new AppError('unsupported_parameter', {
    param: param.replace(/\.(\w+_url(\.url)?|input_audio\.data)$/, ''),
    message:
      sight === undefined
        ? `${model} is served as a text model; it takes no ${noun}. Ask a vision model, or start the server with --enable-multimodal if this one is.`
        : `${model} takes no ${noun} here; send ${Object.entries(ways)
            .flatMap(([kind, way]) => (takes[kind as keyof typeof takes] ? [way] : []))
            .join(' and ')}.`,
  })
}

/**
 * Reads pictures and clips, some at a time; the first failure ends the others. `ids` is the rendered prompt, one placeholder each. A prompt that is longer than
 * `maxTokens` with what was read so far goes no further: `checkLength` is to throw.
 */
export async function readMedia(
  ids: Uint32Array,
  media: readonly MediaPart[],
  sight: Sight,
  encode: Encode,
  signal: AbortSignal,
  checkLength: (tokens: number) => void = () => {},
): Promise<Seen> {
  const places = placesOf(ids, media, sight)
  checkEnd(ids, sight)
  checkLength(ids.length)
  let tokens = ids.length
  let sent = 0
  let made = 0
  const once = readOnce(sight.read)
  const read = async (part: MediaPart, end: AbortSignal): Promise<Run> => {
    let ahead = 0
    const one = await once(part, end, (rows) => {
      ahead = rows - 1
      tokens += ahead
      checkLength(tokens)
    })
    sent += one.sent
    made += sizeOf(one)
    if (sent > mostSent) throw sentTooMuch(part.param)
    if (made > mostMade) throw madeTooMuch(part.param)
    const run = await itemOf(one, part, sight, encode)
    tokens += run.run.length - 1 - ahead
    checkLength(tokens)
    return run
  }
  return expanded(ids, places, await readAll(media, read, signal), sight)
}

/**
 * Throws where the prompt of a request without pictures holds an id that stands for one: engines would read it as the place of a picture that is not there.
 * SGLang and transformers let it pass where a prompt has none, and refuse it beside others.
 */
export function checkNoPlaces(ids: Uint32Array, { model, hearing }: Pick<Sight, 'model' | 'hearing'>, param: string): void {
  const tokens = [model?.placeholderId, model?.imageTokenId, model?.videoTokenId, hearing?.audioTokenId]
  const found = tokens.some((id) => id !== undefined && ids.includes(id))
  if (!found) return
  const message =
    "The prompt has one of the model's own tokens for a picture, a clip or a sound, and the request has none. Remove the token, or send what it stands for as an image_url, video_url or audio_url part of a chat."
  throw new AppError('invalid_value', { param, message })
}

/**
 * Throws where a prompt ends in the id that opens a picture. SGLang looks at the one after it without asking whether there is any (mrope_rope_index.py), on every
 * worker that it is tried on.
 */
function checkEnd(ids: Uint32Array, { model }: Sight): void {
  if (model?.startTokenId === undefined || ids.at(-1) !== model.startTokenId) return
  const message = "The prompt ends in the model's own mark for where a picture begins, and no picture follows. Remove it from the text."
  throw new AppError('invalid_value', { param: 'messages', message })
}

/** That the model takes such a part was checked before (checkMedia). */
function itemOf(one: Picture | Clip | Sound, part: MediaPart, { model, hearing }: Sight, encode: Encode): Run | Promise<Run> {
  if ('samples' in one) return soundItem(one, hearing!)
  return 'frames' in one ? clipItem(one, part, model!, encode) : pictureItem(one, part, model!)
}

function sizeOf(one: Picture | Clip | Sound): number {
  const file = one.file?.length ?? 0
  return 'frames' in one ? one.frames.reduce((sum, { length }) => sum + length, file) : file
}

function sentTooMuch(param: string): AppError {
  const message = `The files of the request have more than ${mostSent / 1e6} MB together, the most that is read; it was reached at ${param}.`
  return new AppError('invalid_image', { param, message })
}

function madeTooMuch(param: string): AppError {
  const message = `What is made of the files of the request for the model is more than ${mostMade / 1e6} MB, decoded and packed for the engine; it was reached at ${param}. Ask for fewer frames of a clip (fps, num_frames), or send smaller or fewer pictures.`
  return new AppError('invalid_image', { param, message })
}

/** Where the template left one id for each of them. */
function placesOf(ids: Uint32Array, media: readonly MediaPart[], { model, hearing }: Sight): number[] {
  const kinds = new Map<number | undefined, MediaPart['kind']>([
    [hearing?.audioTokenId, 'audio'],
    [model?.videoTokenId, 'video'],
    [model?.placeholderId ?? model?.imageTokenId, 'image'],
  ])
  const places: number[] = []
  let inOrder = true
  for (let i = 0; i < ids.length; i++) {
    const kind = kinds.get(ids[i])
    if (kind === undefined) continue
    inOrder &&= media[places.length]?.kind === kind
    places.push(i)
  }
  if (places.length === media.length && inOrder) return places
  const sent = (['image', 'video', 'audio'] as const).filter((kind) => media.some((one) => one.kind === kind))
  const what = media.length === 1 ? nouns[sent[0]!].slice(0, -1) : sent.map((kind) => nouns[kind]).join(' and ')
  throw new AppError('invalid_value', {
    param: 'messages',
    message:
      places.length === media.length
        ? `The prompt has its places for ${what} in another order than the messages: a text part contains one of the model's own tokens. Remove it from the text.`
        : `The prompt has ${places.length} ${places.length === 1 ? 'place' : 'places'} for ${media.length} ${what}: either the chat template drops some, or a text part contains the model's own token for them. Remove the token from the text.`,
  })
}

/** The results in order; `read` is called for `atOnce` parts at a time. */
async function readAll(
  media: readonly MediaPart[],
  read: (part: MediaPart, end: AbortSignal) => Promise<Run>,
  signal: AbortSignal,
): Promise<Run[]> {
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const found: Run[] = []
  const rest = media.entries()
  // All of them take from the same iterator.
  const take = async () => {
    for (const [i, part] of rest) {
      either.throwIfAborted()
      found[i] = await read(part, either)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, media.length) }, take))
    return found
  } catch (error) {
    ended.abort()
    throw error
  }
}

/** An item before it has its place, and what stands there for it. */
interface Run {
  item: Omit<MediaItem, 'offset' | 'tokens' | 'single'>
  run: readonly number[]
}

function pictureItem({ file, contentType, width, height, hash }: Picture, { param }: MediaPart, model: VisionModel): Run {
  const plan = model.plan(width, height, param)
  const item = { kind: 'image', file, contentType, hash, width, height, grid: plan.grid, param, placeholder: model.imageTokenId } as const
  return { item, run: model.expand(plan) }
}

function soundItem({ file, contentType, hash, samples }: Sound, { audioTokenId: placeholder, tokens }: HearingModel): Run {
  const run = new Array<number>(tokens(samples)).fill(placeholder)
  return { item: { kind: 'audio', file, contentType, hash, width: 0, height: 0, grid: [1, 1, run.length], placeholder }, run }
}

const noBytes = new Uint8Array()

async function clipItem(clip: Clip, { param }: MediaPart, { clips, videoTokenId }: VisionModel, encode: Encode): Promise<Run> {
  const { frames, width, height, hash, total, fps, positions, secondsPerFrame, chosen } = clip
  const placeholder = videoTokenId!
  const plan = clips!.plan(frames.length, width, height, param)
  const seconds = clips!.seconds(positions, fps)
  const times = seconds && (await Promise.all(timeTexts(seconds).map(encode)))
  const item = {
    ...({ kind: 'video', file: clip.file ?? noBytes, contentType: 'video/mp4' } as const),
    ...{ hash, width, height, grid: plan.grid, param, placeholder, frames, secondsPerFrame },
    clip: { frames: total, fps, positions, chosen, ...(seconds === undefined ? {} : { seconds }) },
  }
  return { item, run: clipRun(clips!, plan, placeholder, times) }
}

/**
 * Throws where a text beside pictures holds an id that stands around their rows. SGLang finds the rows of some families between such marks, wherever they stand
 * (managers/mm_utils.py, pad_mm_token_pairs), and its scheduler dies when there are others.
 */
function checkMarks(ids: Uint32Array, media: readonly MediaItem[]): void {
  const pictures = media.filter(({ kind }) => kind === 'image')
  const inside = ({ offset, tokens }: MediaItem) => ids.subarray(offset, offset + tokens)
  const marks = new Set(pictures.flatMap((one) => [...new Set(inside(one))].filter((id) => id !== one.placeholder)))
  if (marks.size === 0) return
  let from = 0
  for (const { offset, tokens } of [...media, { offset: ids.length, tokens: 0 }]) {
    if (ids.subarray(from, offset).some((id) => marks.has(id)))
      throw new AppError('invalid_value', {
        param: 'messages',
        message: "A text beside a picture has one of the model's own marks for where a picture begins or ends. Remove it from the text.",
      })
    from = offset + tokens
  }
}

function expanded(ids: Uint32Array, places: readonly number[], runs: readonly Run[], { padScheme = 'wide' }: Sight): Seen {
  const promptIds = new Uint32Array(ids.length + runs.reduce((sum, { run }) => sum + run.length - 1, 0))
  const media: MediaItem[] = []
  let from = 0
  let to = 0
  for (const [i, place] of places.entries()) {
    const { item, run } = runs[i]!
    promptIds.set(ids.subarray(from, place), to)
    to += place - from
    promptIds.set(run, to)
    media.push({ ...item, offset: to, tokens: run.length, single: ids[place]! })
    to += run.length
    from = place + 1
  }
  promptIds.set(ids.subarray(from), to)
  checkMarks(promptIds, media)
  return { promptIds, media, routeIds: padPictures(promptIds, media, padScheme) }
}
