// The pictures, clips and sounds of a chat body, in the order in which a template meets them; pure.
import type { SamplingWishes } from '../../media/vision/vision.ts'
import type { MediaPart } from '../../pipeline/types.ts'
import { invalid } from './faults.ts'

type Loose = Record<string, unknown>

/** The kind of a part, and the field with its address. */
const kinds: Readonly<Record<string, readonly [kind: MediaPart['kind'], field: string]>> = {
  image_url: ['image', 'image_url'],
  input_image: ['image', 'image_url'],
  video_url: ['video', 'video_url'],
  video: ['video', 'video'],
  audio_url: ['audio', 'audio_url'],
  input_audio: ['audio', 'input_audio'],
}

/** undefined: the messages are text alone. Their form was checked before. `sampling`: of clips that do not say themselves which frames are looked at. */
export function mediaOf(messages: readonly Loose[], sampling: Loose = {}): MediaPart[] | undefined {
  let found: MediaPart[] | undefined
  for (let m = 0; m < messages.length; m++) {
    const { content } = messages[m]!
    if (!Array.isArray(content)) continue
    for (let p = 0; p < content.length; p++) {
      const part = content[p] as Loose
      const known = kinds[String(part.type)]
      if (known === undefined) continue
      found ??= []
      found.push(mediaPart(known, part, `messages[${m}].content[${p}]`, sampling))
    }
  }
  return found
}

function mediaPart([kind, field]: (typeof kinds)[string] & object, part: Loose, at: string, sampling: Loose): MediaPart {
  const param = `${at}.${field}`
  const given = part[field] as string | string[] | (Loose & { url: string; detail?: MediaPart['detail'] })
  if (Array.isArray(given)) return framesPart(given, part, param)
  // OpenAI's own form of a sound is its bytes. What they are is seen by them, not by `format`.
  if (field === 'input_audio') return { kind, url: `data:;base64,${(part.input_audio as { data: string }).data}`, param: `${param}.data` }
  const object = typeof given === 'string' ? undefined : given
  const made: MediaPart = { kind, url: object?.url ?? (given as string), param: object === undefined ? param : `${param}.url` }
  if (kind === 'video') {
    const wishes = wishesOf([object, part, sampling], at)
    return Object.keys(wishes).length === 0 ? made : { ...made, sampling: wishes }
  }
  const detail = (part.detail as MediaPart['detail']) ?? object?.detail
  return detail ? { ...made, detail } : made
}

/** All frames are looked at, so only their rate can be said. */
function framesPart(urls: readonly string[], part: Loose, param: string): MediaPart {
  const { fps, ...others } = wishesOf([part], param)
  if (Object.keys(others).length > 0)
    throw invalid(param, 'a clip that comes as its frames is looked at whole; send only the frames to look at')
  const frames = urls.map((url, i) => ({ url, param: `${param}[${i}]` }))
  return { kind: 'video', url: '', frames, param, ...(fps === undefined ? {} : { sampling: { fps } }) }
}

/** The first of `places` that says something. Throws `invalid_value` for a rate and a number of frames together. */
function wishesOf(places: readonly (Loose | undefined)[], at: string): SamplingWishes {
  for (const place of places) {
    const { fps, num_frames, nframes, min_frames, max_frames } = (place ?? {}) as Record<string, number | null | undefined>
    const frames = num_frames ?? nframes
    if (fps != null && frames != null) throw invalid(at, "'fps' and 'num_frames' contradict each other; give one of them")
    const wishes: SamplingWishes = {}
    if (frames != null) wishes.frames = frames
    if (fps != null) wishes.fps = fps
    if (min_frames != null) wishes.minFrames = min_frames
    if (max_frames != null) wishes.maxFrames = max_frames
    if (Object.keys(wishes).length > 0) return wishes
  }
  return {}
}
