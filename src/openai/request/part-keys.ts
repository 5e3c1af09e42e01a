// The members that picture and clip parts of messages may have. What a client wishes of one and nobody here hears of would be dropped in silence, so it is
// refused by name, as unknown fields of the body are.
import { unknownParameter } from './faults.ts'

type Loose = Record<string, unknown>

/** Names and caches of clients: they wish for nothing. */
const harmless = ['type', 'id', 'index', 'name', 'uuid', 'cache_control', 'content_hash']
const sampling = ['fps', 'num_frames', 'nframes', 'min_frames', 'max_frames']

/** Members by the kind of a part, besides the harmless ones; `field` has its address. `idle`: values that ask for what is done anyway. */
const picture = { field: 'image_url', wishes: ['detail'], idle: { modalities: 'image' } }
const clip = { wishes: sampling, idle: { detail: 'auto' } }
const kinds: Readonly<Record<string, { field: string; wishes: readonly string[]; idle: Loose }>> = {
  image_url: picture,
  input_image: picture,
  video_url: { ...clip, field: 'video_url' },
  video: { ...clip, field: 'video' },
}

/** Throws `unknown_parameter` for the first unknown member of a picture or clip part. `messages`: their form was checked before; null members are absent ones. */
export function checkPartKeys(messages: unknown, param: string): void {
  if (!Array.isArray(messages)) return
  for (const [m, { content }] of (messages as Loose[]).entries()) {
    if (!Array.isArray(content)) continue
    for (const [p, part] of (content as Loose[]).entries()) {
      const kind = kinds[String(part.type)]
      if (kind === undefined) continue
      const { field, wishes, idle } = kind
      const at = `${param}[${m}].content[${p}]`
      checkKeys(part, [field, ...wishes], idle, at)
      const address = part[field]
      if (typeof address === 'object' && !Array.isArray(address)) checkKeys(address as Loose, ['url', ...wishes], idle, `${at}.${field}`)
    }
  }
}

function checkKeys(object: Loose, known: readonly string[], idle: Loose, at: string): void {
  for (const [key, value] of Object.entries(object)) {
    if (value === null || known.includes(key) || harmless.includes(key)) continue
    if (!Object.hasOwn(idle, key) || idle[key] !== value) throw unknownParameter(`${at}.${key}`)
  }
}
