// A clip that was made while the client waited, as the answer: its files kept and findable like a job's, or in the answer itself.
import type { MediaJob } from '../../pipeline/media/jobs/job.ts'
import type { Made } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import { publicUrl } from '../media/public-url.ts'
import { base64Of } from '../media/shown.ts'
import type { VideosApi } from './api.ts'
import type { Prepared } from './prepare.ts'
import { clipBody, jobBody } from './shape.ts'

/** The whole answer. Rejects with an AppError, and then no file is left. */
export async function finish(id: string, createdMs: number, video: Prepared, made: Made, call: Call, api: VideosApi, signal: AbortSignal) {
  const { shown } = video
  if (video.body.response_format === 'b64_json') {
    const data = made.files.map((file) => clipBody(file, base64Of(file)))
    return answer({ ...jobBody(unkept(id, createdMs, shown, made), () => ({ url: '' })), data })
  }
  const job = await api.jobs.adopt({ id, createdMs, shown, pathOf: video.pathOf }, made, signal)
  return answer(jobBody(job, (file) => ({ url: publicUrl(file.url, call) })))
}

/** Dynamo's members beside OpenAI's. */
function answer(body: ReturnType<typeof jobBody>) {
  return { ...body, created: body.created_at, inference_time_s: body.inference_time_s ?? 0 }
}

function unkept(id: string, createdMs: number, shown: Prepared['shown'], made: Made): MediaJob {
  const { model, width, height, frames, seed, workerId, ms } = made
  const fps = made.fps ?? shown.fps
  const ended = { status: 'completed', progress: 100, createdMs, endedMs: Date.now(), files: [] } as const
  return { ...shown, ...ended, id, model, width, height, frames, fps, seed, workerId, ms }
}
