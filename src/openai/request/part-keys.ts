// The members that picture and clip parts of messages may have, and where pictures, clips and sounds may lie. What a client wishes and nobody here hears of would be
// dropped in silence, so it is refused by name, as unknown fields of the body are.
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

/** Members that bring media in some API, and that nobody here looks at outside of a part of their own kind (Ollama's `images` among them). */
const bringing = new Set(
  ['image', 'input_image', 'video', 'audio', 'input_audio'].flatMap((name) => [name, `${name}s`, `${name}_url`, `${name}_urls`]),
)

/**
 * Throws `unknown_parameter` for the first unknown member of a picture or clip part, and for a picture, clip or sound that lies where nobody looks. `messages`: their form was
 * checked before; null members are absent ones. Nothing is allocated where all is well: every chat comes through here.
 */
export function checkPartKeys(messages: unknown, param: string): void {
  if (!Array.isArray(messages)) return
  for (let m = 0; m < messages.length; m++) {
    const message = messages[m] as Loose
    const { role, content } = message
    // OpenAI's history has an assistant's answer as `audio`, of which the schema has its own opinion.
    const misplaced = misplacedIn(message, role === 'assistant' ? 'audio' : undefined)
    if (misplaced !== undefined) throw unknownParameter(`${param}[${m}].${misplaced}`)
    if (!Array.isArray(content)) continue
    for (let p = 0; p < content.length; p++) checkPart(content[p] as Loose, param, m, p)
  }
}

function checkPart(part: Loose, param: string, m: number, p: number): void {
  const kind = kinds[String(part.type)]
  if (kind === undefined) {
    const misplaced = misplacedIn(part, part.type)
    if (misplaced !== undefined) throw unknownParameter(`${param}[${m}].content[${p}].${misplaced}`)
    return
  }
  const { field, wishes, idle } = kind
  const at = `${param}[${m}].content[${p}]`
  checkKeys(part, [field, ...wishes], idle, at)
  const address = part[field]
  if (typeof address === 'object' && !Array.isArray(address)) checkKeys(address as Loose, ['url', ...wishes], idle, `${at}.${field}`)
}

/** The first member but `own` that would bring media here. */
function misplacedIn(object: Loose, own: unknown): string | undefined {
  for (const key in object) {
    if (key === own || !bringing.has(key)) continue
    const value = object[key]
    if (value !== null && !(Array.isArray(value) && value.length === 0)) return key
  }
  return undefined
}

function checkKeys(object: Loose, known: readonly string[], idle: Loose, at: string): void {
  for (const [key, value] of Object.entries(object)) {
    if (value === null || known.includes(key) || harmless.includes(key)) continue
    if (!Object.hasOwn(idle, key) || idle[key] !== value) throw unknownParameter(`${at}.${key}`)
  }
}
