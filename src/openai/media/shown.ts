// Where the client finds a finished file: at an address, or in the answer itself.
import type { EncodedFile } from '../../pipeline/media/media.ts'

export type Shown = { url: string } | { b64_json: string }

export function base64Of({ bytes }: Pick<EncodedFile, 'bytes'>): Shown {
  return { b64_json: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') }
}
