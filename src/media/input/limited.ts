// Bytes of unknown length, read up to a limit.
import { AppError } from '../../lib/errors.ts'
import type { InputPolicy } from './policy.ts'

type Limit = Pick<InputPolicy, 'maxBytes' | 'kind' | 'onBytes'>

/** The refusal of a file that is too large. */
export function tooLarge(param: string, { maxBytes, kind = 'image' }: Limit): AppError {
  const megabytes = Number((maxBytes / 1e6).toPrecision(3))
  return new AppError('invalid_image', { param, message: `The ${kind} at ${param} is larger than ${megabytes} MB, the most that is read.` })
}

/**
 * The bytes of an answer's `body`, which `said` to be so many (0: did not say). Rejects with `invalid_image` as soon as they are, or are said to be, more than `maxBytes`, and
 * leaves the body then.
 */
export async function readLimited(body: AsyncIterable<Uint8Array>, said: number, limit: Limit, param: string): Promise<Uint8Array> {
  if (said > limit.maxBytes) throw tooLarge(param, limit)
  // Where the length is known the pieces go to their places as they come: kept apart until the end they would take twice the memory.
  const whole = said > 0 ? Buffer.allocUnsafeSlow(said) : undefined
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    const from = length
    length += piece.length
    // Leaving the loop ends the connection. No more than was said comes through HTTP.
    if (length > (whole?.length ?? limit.maxBytes)) throw tooLarge(param, limit)
    if (whole === undefined) pieces.push(piece)
    else whole.set(piece, from)
    limit.onBytes?.(piece.length)
  }
  return whole?.subarray(0, length) ?? Buffer.concat(pieces, length)
}
