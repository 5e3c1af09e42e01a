// Images inside the request: data: addresses and bare base64.
import { AppError } from '../../lib/errors.ts'
import { tooLarge } from './limited.ts'
import type { InputPolicy } from './policy.ts'

/** The base64 text of a `data:` address. Throws `invalid_value`; what media type it claims does not matter, the bytes decide. */
export function dataUrlText(url: string, param: string): string {
  const comma = url.indexOf(',')
  const head = comma < 0 ? '' : url.slice(5, comma)
  if (!/;\s*base64\s*$/i.test(head)) {
    throw new AppError('invalid_value', { param, message: `The data address at ${param} must be data:<type>;base64,<data>.` })
  }
  const text = url.slice(comma + 1)
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw notBase64(param, 'image', cause)
  }
}

/** Throws `invalid_value` for what is no base64, `invalid_image` for more than `maxBytes`, before it decodes. */
export function decodeBase64(text: string, limit: Pick<InputPolicy, 'maxBytes' | 'kind'>, param: string): Uint8Array {
  const { maxBytes, kind } = limit
  // Line breaks and spaces go first: a pattern that allows them in two places tries every split of a long run, which takes its square in time.
  const packed = text.replace(/\s+/g, '')
  if (packed.length * 0.75 > maxBytes + 3) throw tooLarge(param, limit)
  if (packed === '') throw new AppError('invalid_value', { param, message: `The data address at ${param} is empty.` })
  // Four letters are three bytes, and what is left over cannot be one letter.
  const letters = packed.length - (packed.endsWith('==') ? 2 : packed.endsWith('=') ? 1 : 0)
  if (!/^[\w+/-]+={0,2}$/.test(packed) || letters % 4 === 1) throw notBase64(param, kind)
  const bytes = Buffer.from(packed, 'base64')
  if (bytes.length > maxBytes) throw tooLarge(param, limit)
  return bytes
}

function notBase64(param: string, kind: InputPolicy['kind'] = 'image', cause?: unknown): AppError {
  return new AppError('invalid_value', {
    param,
    message: `The value at ${param} is neither an address of ${kind === 'image' ? 'an image' : `a ${kind}`} nor base64.`,
    cause,
  })
}
