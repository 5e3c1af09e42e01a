// An encoder's error about a picture, told with the part of the request that the picture came by: encoders know pictures only, and equal ones of many requests are one to them.
import { AppError, toAppError } from '../../lib/errors.ts'

/** `thrown` with `param` where it is about a picture and nobody has named its part yet, also in its words where the picture is at fault; anything else as it is. */
export function aboutPart(thrown: unknown, param: string | undefined): AppError {
  const error = toAppError(thrown)
  const { code, message, status, retryAfterSecs, cause } = error
  if (param === undefined || error.param !== null) return error
  if (code === 'encoder_unavailable' || code === 'encoder_failed')
    return new AppError(code, { param, message, status, retryAfterSecs, cause })
  if (status !== 400) return error
  // As other errors about pictures say it (media/input/decode.ts).
  const named = message.replace(/^The (image|clip)\b(?! at )/, `The $1 at ${param}`)
  return new AppError(code, { param, message: named === message ? `${param}: ${message}` : named, status, retryAfterSecs, cause })
}
