// POST /v1/videos: the same request three ways: the clip in the answer (Dynamo), its progress as events, or a job (OpenAI).
import { clientGone } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { type Call, type Handler, json, takingForms } from '../call.ts'
import { publicUrl } from '../media/public-url.ts'
import type { VideosApi } from './api.ts'
import { finish } from './finish.ts'
import { type Prepared, prepare } from './prepare.ts'
import { jobBody } from './shape.ts'
import { streamAnswer } from './stream.ts'

export function videosHandler(api: VideosApi): Handler {
  return takingForms(async (call) => {
    const video = await prepare(call, api)
    call.begin(video.shown.model, video.body.stream === true)
    if (video.body.stream === true) return streamAnswer(video, call, api)
    return wantsJob(video, call) ? jobAnswer(video, call, api) : wholeAnswer(video, call, api)
  })
}

/** OpenAI's clients send forms and expect a job; JSON is Dynamo's unless it says otherwise. */
function wantsJob({ body, isForm }: Prepared, call: Call): boolean {
  return body.background ?? (isForm || prefersJob(call))
}

/** RFC 7240, 4.1. */
function prefersJob(call: Call): boolean {
  return /(?:^|,)\s*respond-async\s*(?:[;,]|$)/i.test(call.headers.get('prefer') ?? '')
}

async function jobAnswer(video: Prepared, call: Call, api: VideosApi): Promise<Response> {
  const job = await api.jobs.create(video)
  // It goes on without the client, who does not know of it.
  call.outcome(call.signal.aborted ? { error: clientGone() } : {})
  const headers: Record<string, string> = { location: publicUrl(`/v1/videos/${job.id}`, call) }
  if (prefersJob(call)) headers['preference-applied'] = 'respond-async'
  return json(
    jobBody(job, (file) => ({ url: publicUrl(file.url, call) })),
    headers,
  )
}

async function wholeAnswer(video: Prepared, call: Call, api: VideosApi): Promise<Response> {
  const createdMs = Date.now()
  const made = await api.media.make(video.request, {}, call.signal)
  const body = await finish(`video-${newId()}`, createdMs, video, made, call, api, call.signal)
  call.outcome({ workerId: made.workerId, ...(call.signal.aborted && { error: clientGone() }) })
  return json(body, { 'x-worker-id': made.workerId })
}
