// Where a client's image is: an address, base64, or an object around one of them, as OpenAI, Dynamo and SGLang write it.
import { AppError } from '../../lib/errors.ts'
import { checkLength, invalid, missing, wrongType } from '../request/faults.ts'
import type { ImageSource } from './api.ts'

/** An image and the field it came in. */
export interface NamedSource {
  source: ImageSource
  param: string
}

/** One value or an array of them. Throws `invalid_type`, `invalid_value`. */
export function sourcesOf(value: unknown, param: string, most: number): NamedSource[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) return [{ source: sourceOf(value, param), param }]
  checkLength(value.length, 1, most, param)
  return value.map((one, i) => ({ source: sourceOf(one, `${param}[${i}]`), param: `${param}[${i}]` }))
}

/** Throws `invalid_type`, `invalid_value`, `missing_parameter`, `unsupported_parameter`. */
export function sourceOf(value: unknown, param: string): ImageSource {
  if (typeof value === 'string') return fromText(value, param)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongType(param, 'an address, base64, or an object with one of them', value)
  const { url, image_url: imageUrl, b64_json: base64, file_id: fileId } = value as Record<string, unknown>
  if (fileId != null)
    throw new AppError('unsupported_parameter', {
      message: `'${param}.file_id' is not supported: files are not kept here; send the image or its address.`,
      param: `${param}.file_id`,
    })
  if (url != null) return sourceOfString(url, `${param}.url`)
  if (imageUrl != null) {
    if (typeof imageUrl === 'object') return sourceOfString((imageUrl as { url?: unknown }).url, `${param}.image_url.url`)
    return sourceOfString(imageUrl, `${param}.image_url`)
  }
  if (base64 != null) return sourceOfString(base64, `${param}.b64_json`)
  throw missing(`${param}.url`)
}

function sourceOfString(value: unknown, param: string): ImageSource {
  if (value === undefined) throw missing(param)
  if (typeof value !== 'string') throw wrongType(param, 'a string', value)
  return fromText(value, param)
}

function fromText(value: string, param: string): ImageSource {
  const text = value.trim()
  if (text === '') throw new AppError('invalid_value', { message: `'${param}' must not be empty.`, param })
  if (/^[a-z][a-z0-9+.-]*:/i.test(text.slice(0, 32))) return { url: text }
  if (text.length < 16 || !/^[\w+/-]+={0,2}$/.test(text))
    throw invalid(param, 'it is neither an address (https://…, data:image/…) nor base64')
  return { bytes: Buffer.from(text, 'base64') }
}
