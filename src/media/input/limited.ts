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
  if (Number(response.headers.get('content-length') ?? 0) > limit.maxBytes) {
    await response.body?.cancel()
    throw tooLarge(param, limit)
  }
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    // Leaving the loop cancels the stream.
    if (length > limit.maxBytes) throw tooLarge(param, limit)
    chunks.push(chunk)
    limit.onBytes?.(chunk.length)
  }
  return Buffer.concat(chunks, length)
}
