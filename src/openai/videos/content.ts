// GET and HEAD /v1/videos/{id}/content: the clip itself, whole or a part of it.
import type { Handler } from '../call.ts'
import { storedResponse } from '../media/stored-response.ts'
import { invalid } from '../request/faults.ts'
import type { VideosApi } from './api.ts'
import { idOf } from './jobs.ts'

/** `?index=1` (or `?variant=1`, SGLang's word for pictures) is the second clip of a job with several; `?variant=video` is the clip itself. */
export function videoContentHandler({ jobs }: Pick<VideosApi, 'jobs'>): Handler {
  return async (call) => {
    const query = new URL(call.url).searchParams
    const id = idOf(call)
    const { file, stored } = await jobs.content(id, clipAsked(query))
    return storedResponse(stored, call.headers, { 'content-disposition': `inline; filename="${id}.${file.extension}"` })
  }
}

/** Throws `invalid_value` naming the parameter. */
function clipAsked(query: URLSearchParams): number {
  const variant = query.get('variant') ?? 'video'
  const isNumber = (text: string) => /^\d{1,3}$/.test(text)
  if (variant !== 'video' && !isNumber(variant)) throw invalid('variant', "it must be 'video' or the number of a clip, from 0")
  const index = query.get('index') ?? (variant === 'video' ? '0' : variant)
  if (!isNumber(index)) throw invalid('index', 'it must be the number of a clip, from 0')
  return Number(index)
}
