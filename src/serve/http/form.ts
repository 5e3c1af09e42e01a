// Multipart bodies within limits: bytes and time as for any body (limits.ts), the number of parts, and how long texts and names are.
import { AppError } from '../../lib/errors.ts'
import { FormFields, type FormPart } from '../../openai/media/form-fields.ts'
import { type Limits, readBytes } from './limits.ts'

/** Counted before anything is made of them. */
const MAX_PARTS = 256
const MAX_NAME = 256
/** Of a text field: a long prompt, or an image as a data URL. */
const MAX_TEXT = 16 << 20

/** True for the content type of a form with files. */
export function isForm(type: string | null): boolean {
  return type !== null && /^multipart\/form-data\s*(?:;|$)/i.test(type)
}

/**
 * The body's parts (RFC 7578). Throws what readBytes throws, and `invalid_form`: no boundary, no closing boundary, parts without a name,
 * too many parts, names or texts that are too long.
 */
export async function readForm(request: Request, limits: Limits): Promise<FormFields> {
  const type = request.headers.get('content-type') ?? ''
  const boundary = boundaryOf(type)
  const bytes = await readBytes(request, limits)
  if (bytes.byteLength === 0) throw broken('it is empty')
  const count = countParts(bytes, boundary)
  if (count > MAX_PARTS) throw broken(`it has ${count} parts; at most ${MAX_PARTS} are allowed`)
  const form = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch((cause: unknown) => {
    throw broken(`it does not end with its boundary '--${boundary}--'`, cause)
  })
  const parts: FormPart[] = []
  for (const [name, value] of form) parts.push(await partOf(name, value))
  // Bun's reader passes over parts that it cannot make out.
  if (parts.length !== count) throw broken('one of its parts has no name, or a head that is not Content-Disposition: form-data; name="…"')
  return new FormFields(parts)
}

async function partOf(name: string, value: string | File): Promise<FormPart> {
  if (name.length > MAX_NAME) throw broken(`the name of a part has ${name.length} characters; at most ${MAX_NAME} are allowed`)
  if (typeof value !== 'string') return { name, file: { bytes: await value.bytes(), fileName: value.name ?? '', contentType: value.type } }
  if (value.length > MAX_TEXT)
    throw new AppError('invalid_value', {
      message: `Invalid value for '${name}': a text field of a form may have ${MAX_TEXT} characters; send a file instead.`,
      param: name,
    })
  return { name, text: value }
}

function boundaryOf(type: string): string {
  const found = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type)
  const boundary = found?.[1] ?? found?.[2]
  if (boundary === undefined) throw broken('its content-type names no boundary; let the HTTP client set that header')
  return boundary
}

/** Delimiters that open a part: the boundary at the start of a line, followed by the line's end. */
function countParts(bytes: Uint8Array, boundary: string): number {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const delimiter = Buffer.from(`--${boundary}`)
  let count = 0
  for (let at = body.indexOf(delimiter); at >= 0; at = body.indexOf(delimiter, at + delimiter.length)) {
    const after = at + delimiter.length
    if ((at === 0 || body[at - 1] === 0x0a) && (body[after] === 0x0d || body[after] === 0x0a)) count++
  }
  return count
}

function broken(why: string, cause?: unknown): AppError {
  return new AppError('invalid_form', { message: `The multipart body cannot be read: ${why}.`, cause })
}
