// GET and HEAD /media/…: finished pictures and clips, whole or a part of them. Nothing is listed, and nothing but media can be read.
import { AppError } from '../../lib/errors.ts'
import type { MediaStore } from '../../media/store.ts'
import type { Handler } from '../call.ts'
import { storedResponse } from './stored-response.ts'

const mediaTypes = /^(?:image|video)\//

export function mediaHandler(store: Pick<MediaStore, 'open'>): Handler {
  return async (call) => {
    const path = decoded(new URL(call.url).pathname.slice('/media/'.length))
    const file = path === undefined ? undefined : await store.open(path)
    if (file === undefined || !mediaTypes.test(file.contentType))
      throw new AppError('media_not_found', { message: 'There is no such file here (any more).' })
    // The file is what its type says and nothing else, whatever a browser thinks of its bytes.
    return storedResponse(file, call.headers, { 'x-content-type-options': 'nosniff' })
  }
}

/** undefined: broken escapes, which name nothing. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
