// GET and HEAD /v1/videos/{id}/content: the clip itself, whole or a part of it.
import type { Handler } from '../call.ts'
import { storedResponse } from '../media/stored-response.ts'
import { invalid } from '../request/faults.ts'
import type { VideosApi } from './api.ts'
import { idOf } from './jobs.ts'

/** `?variant=video` is the only one; `?index=1` is the second clip of a job with several. */
export function videoContentHandler({ jobs }: Pick<VideosApi, 'jobs'>): Handler {
  return async (call) => {
    const query = new URL(call.url).searchParams
    const variant = query.get('variant') ?? 'video'
    if (variant !== 'video') throw invalid('variant', "only 'video' is kept")
    const index = query.get('index') ?? '0'
    if (!/^\d{1,3}$/.test(index)) throw invalid('index', 'it must be the number of a clip, from 0')
    const id = idOf(call)
    const { file, stored } = await jobs.content(id, Number(index))
    return storedResponse(stored, call.headers, { 'content-disposition': `inline; filename="${id}.${file.extension}"` })
  }
}
