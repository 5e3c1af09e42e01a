// GET /v1/images/{id}/content: SGLang's way to fetch the pictures of an answer, by its `id`.
import { AppError } from '../../lib/errors.ts'
import type { MediaStore, StoredFile } from '../../media/store.ts'
import type { Handler } from '../call.ts'
import type { ImagesApi } from '../media/api.ts'
import { storedResponse } from '../media/stored-response.ts'
import { invalid } from '../request/faults.ts'
import { savedPaths } from './saved.ts'

export function imageContentHandler({ store }: Pick<ImagesApi, 'store'>): Handler {
  return async (call) => {
    const url = new URL(call.url)
    const id = /\/images\/([^/]+)\/content$/.exec(url.pathname)?.[1] ?? ''
    const file = await imageContent(store, id, url.searchParams)
    return storedResponse(file, call.headers, { 'x-content-type-options': 'nosniff' })
  }
}

/** Picture `variant` (SGLang's word, or `index`; default 0) of the answer `id`. Throws `media_not_found`, `invalid_value`. */
export async function imageContent(store: MediaStore, id: string, query: URLSearchParams): Promise<StoredFile> {
  const name = query.has('variant') ? 'variant' : 'index'
  const text = query.get(name) ?? '0'
  if (!/^\d{1,4}$/.test(text)) throw invalid(name, 'it must be the number of a picture, from 0')
  const paths = /^img_[\da-f]{32}$/.test(id) ? await savedPaths(store, id) : undefined
  if (paths === undefined) throw gone(`There is no answer '${id.slice(0, 100)}' whose pictures are kept here`, 'id')
  const path = paths[Number(text)]
  if (path === undefined) throw gone(`The answer '${id}' has ${paths.length} pictures, from 0`, name)
  const file = await store.open(path)
  if (file === undefined) throw gone(`Picture ${text} of '${id}' is not kept any more`, 'id')
  return file
}

function gone(what: string, param: string): AppError {
  return new AppError('media_not_found', {
    message: `${what}. Answers with "response_format": "url" can be fetched until they are too old.`,
    param,
  })
}
