// A question's body, read no further than its route allows.
import { AppError } from '../../../lib/errors.ts'

/** So much beyond the limit is read away: clients read the answer only when they have sent everything. */
const maxExcess = 1 << 20

/** The body as a text. Rejects with `body_too_large`, keeping no more than `maxBytes` of it. */
export async function readAtMost(request: Request, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  if (request.body !== null)
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes <= maxBytes) chunks.push(chunk)
      else chunks.length = 0
      if (bytes > maxBytes + maxExcess) break
    }
  if (bytes > maxBytes)
    throw new AppError('body_too_large', { message: `The body is larger than ${maxBytes} bytes, the most that is read here.` })
  return new TextDecoder().decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
}
