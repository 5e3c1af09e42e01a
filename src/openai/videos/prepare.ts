// What every way of making a video has in common: the body read and checked, its image fetched, where its files go.
import { safeSegment } from '../../media/store/safe-segment.ts'
import type { JobOrder } from '../../pipeline/media/jobs/order.ts'
import type { Call } from '../call.ts'
import { takeRid } from '../generate.ts'
import { DEFAULT_MAX_PIXELS } from '../media/api.ts'
import { pngSize, sizeLike } from '../media/size.ts'
import type { VideoBody } from '../schema/videos.ts'
import type { VideosApi } from './api.ts'
import { checkTogether, orderOf, type VideoOrder } from './order.ts'
import { readVideo } from './read.ts'

export interface Prepared extends VideoOrder {
  body: VideoBody
  isForm: boolean
  pathOf: JobOrder['pathOf']
}

/** Rejects with the AppErrors of a bad request, in the order: fields, model, what they say together, the image. */
export async function prepare(call: Call, api: VideosApi): Promise<Prepared> {
  const { body, isForm, reference } = await readVideo(call, api.ignoreUnknownFields)
  takeRid(call, body.rid)
  const info = api.media.info('video', body.model ?? undefined)
  const asked = checkTogether(body, reference !== undefined, info, api)
  const image = reference === undefined ? undefined : await api.input(reference.source, reference.param, call.signal)
  const size = asked ?? (image === undefined ? undefined : sizeLike(pngSize(image), info, api.maxPixels ?? DEFAULT_MAX_PIXELS))
  const order = orderOf(body, size, image === undefined ? [] : [image], info, api)
  order.request.requestId = call.requestId
  return { ...order, body, isForm, pathOf: pathsOf(body.user ?? body.safety_identifier) }
}

/** Ids cannot be guessed, so neither can paths. */
function pathsOf(user: string | null | undefined): JobOrder['pathOf'] {
  if (user == null || user === '') return (id, index, { extension }) => `videos/${id}${index === 0 ? '' : `-${index}`}.${extension}`
  const folder = `users/${safeSegment(user)}/generations`
  return (id, index, { extension }) => `${folder}/${id}/${index}.${extension}`
}
