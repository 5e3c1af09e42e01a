// Bytes of unknown length, read up to a limit.
import { AppError } from '../../lib/errors.ts'
import type { InputPolicy } from './policy.ts'

type Limit = Pick<InputPolicy, 'maxBytes' | 'kind' | 'onBytes'>

/** The refusal of a file that is too large. */
export function tooLarge(param: string, { maxBytes, kind = 'image' }: Limit): AppError {
  const megabytes = Number((maxBytes / 1e6).toPrecision(3))
  return new AppError('invalid_image', { param, message: `The ${kind} at ${param} is larger than ${megabytes} MB, the most that is read.` })
}

/** The body of a response. Rejects with `invalid_image` as soon as it is, or says to be, longer than `maxBytes`, and ends the connection. */
export async function readLimited(response: Response, limit: Limit, param: string): Promise<Uint8Array> {
  const said = Number(response.headers.get('content-length') ?? 0)
  if (said > limit.maxBytes) {
    await response.body?.cancel()
    throw tooLarge(param, limit)
  }
  // Where the length is known the pieces go to their places as they come: kept apart until the end they would take twice the memory.
  const whole = said > 0 ? Buffer.allocUnsafeSlow(said) : undefined
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    const from = length
    length += piece.length
    // Leaving the loop cancels the stream. No more than was said comes through HTTP.
    if (length > (whole?.length ?? limit.maxBytes)) throw tooLarge(param, limit)
    if (whole === undefined) pieces.push(piece)
    else whole.set(piece, from)
    limit.onBytes?.(piece.length)
  }
  return whole?.subarray(0, length) ?? Buffer.concat(pieces, length)
}
