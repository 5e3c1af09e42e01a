// A whole text by a decoder that takes one id at a time.
import type { StreamDecoder } from '../tokenizer.ts'

/** `decoder` is fresh, and used up afterwards. */
export function decodeAll(decoder: StreamDecoder, ids: ArrayLike<number>): string {
  let text = ''
  for (let i = 0; i < ids.length; i++) text += decoder.push(ids[i]!)
  return text + decoder.end()
}
