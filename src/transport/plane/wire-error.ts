// AppError on the wire: code, message, status, param and retry-after survive; the cause stays where it happened.
import { AppError, type ErrorCode, errorCodes } from '../../lib/errors.ts'
import { decode, encode } from '../msgpack.ts'

export function encodeError(error: AppError): Uint8Array {
  return encode([error.code, error.message, error.status, error.param, error.retryAfterSecs ?? null])
}

/** A code that this version does not know becomes `engine_failed` with the status it came with. */
export function decodeError(bytes: Uint8Array): AppError {
  let fields: unknown
  try {
    fields = decode(bytes)
  } catch (cause) {
    return new AppError('engine_failed', { message: 'The worker failed, and its reason could not be read.', cause })
  }
  const [code, message, status, param, retryAfterSecs] = Array.isArray(fields) ? (fields as unknown[]) : []
  const known = typeof code === 'string' && Object.hasOwn(errorCodes, code)
  return new AppError(known ? (code as ErrorCode) : 'engine_failed', {
    message: typeof message === 'string' ? message : 'The worker failed and gave no reason.',
    status: Number.isInteger(status) ? (status as number) : undefined,
    param: typeof param === 'string' ? param : undefined,
    retryAfterSecs: typeof retryAfterSecs === 'number' ? retryAfterSecs : undefined,
  })
}
