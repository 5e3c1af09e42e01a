// The pictures, clips and sounds of a chat body, in the order in which a template meets them; pure.
import type { MediaPart } from '../../pipeline/types.ts'

type Loose = Record<string, unknown>

const kinds: Readonly<Record<string, MediaPart['kind']>> = {
  image_url: 'image',
  input_image: 'image',
  video_url: 'video',
  audio_url: 'audio',
}

/** undefined: the messages are text alone. Their form was checked before. */
export function mediaOf(messages: readonly Loose[]): MediaPart[] | undefined {
  let found: MediaPart[] | undefined
  for (let m = 0; m < messages.length; m++) {
    const { content } = messages[m]!
    if (!Array.isArray(content)) continue
    for (let p = 0; p < content.length; p++) {
      const part = content[p] as Loose
      const kind = kinds[String(part.type)]
      if (kind === undefined) continue
      found ??= []
      found.push(mediaPart(kind, part, `messages[${m}].content[${p}]`))
    }
  }
  return found
}

function mediaPart(kind: MediaPart['kind'], part: Loose, at: string): MediaPart {
  const field = kind === 'image' ? 'image_url' : kind === 'video' ? 'video_url' : 'audio_url'
  const given = part[field] as string | { url: string; detail?: MediaPart['detail'] }
  const plain = typeof given === 'string'
  const detail = (part.detail as MediaPart['detail']) ?? (plain ? undefined : given.detail)
  const made: MediaPart = { kind, url: plain ? given : given.url, param: plain ? `${at}.${field}` : `${at}.${field}.url` }
  return detail ? { ...made, detail } : made
}
