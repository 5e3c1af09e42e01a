// The errors that bad request fields get, each in one form.
import { AppError } from '../../lib/errors.ts'

export function missing(param: string): AppError {
  return new AppError('missing_parameter', { message: `Missing required parameter: '${param}'.`, param })
}

/** The parameter, then why. */
export function invalid(param: string, why: string): AppError {
  return new AppError('invalid_value', { message: `Invalid value for '${param}': ${why}.`, param })
}

export function unknownParameter(param: string): AppError {
  const shown = param.length > 100 ? `${param.slice(0, 100)}…` : param
  return new AppError('unknown_parameter', {
    message: `Unknown parameter: '${shown}'. Remove it, or start the server with DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS=true to ignore such fields.`,
    param: shown,
  })
}

export function wrongType(param: string, expected: string, value: unknown): AppError {
  return new AppError('invalid_type', { message: `Invalid type for '${param}': expected ${expected}, but got ${nameOf(value)}.`, param })
}

export function checkLength(length: number, min: number, max: number, param: string): void {
  if (length >= min && length <= max) return
  const message =
    length > max
      ? `'${param}' has ${length} items; at most ${max} are allowed.`
      : min === 1
        ? `'${param}' must not be empty.`
        : `'${param}' needs ${min} items.`
  throw new AppError('invalid_value', { message, param })
}

/** What a JSON value is, with its article. */
export function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number beyond any limit'
  return value === undefined ? 'nothing' : `a ${typeof value}`
}
