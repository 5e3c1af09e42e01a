// The rest of OpenAI's video API: jobs listed, asked for, cancelled and deleted. No body is read.
import { AppError } from '../../lib/errors.ts'
import type { MediaJob } from '../../pipeline/media/jobs/job.ts'
import { type Call, type Handler, json } from '../call.ts'
import { publicUrl } from '../media/public-url.ts'
import { invalid } from '../request/faults.ts'
import type { VideosApi } from './api.ts'
import { jobBody } from './shape.ts'

type Jobs = Pick<VideosApi, 'jobs'>

/** How often OpenAI's clients ask again. */
const POLL_MS = 1000

/** GET /v1/videos?after=&limit=&order= */
export function listVideosHandler({ jobs }: Jobs): Handler {
  return async (call) => {
    const { jobs: listed, more } = jobs.list(pageAsked(new URL(call.url).searchParams))
    const data = listed.map((job) => shown(job, call))
    return json({ object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: more })
  }
}

/** GET /v1/videos/{id} */
export function oneVideoHandler({ jobs }: Jobs): Handler {
  return async (call) => {
    const job = jobs.get(idOf(call))
    return json(shown(job, call), job.endedMs !== undefined ? {} : { 'openai-poll-after-ms': String(POLL_MS) })
  }
}

/** POST /v1/videos/{id}/cancel, whatever its body: what has ended stays as it is, and the answer shows it. */
export function cancelVideoHandler({ jobs }: Jobs): Handler {
  return async (call) => {
    const job = await jobs.cancel(idOf(call))
    call.outcome({})
    return json(shown(job, call))
  }
}

/** DELETE /v1/videos/{id}: also ends what waits or runs. */
export function removeVideoHandler({ jobs }: Jobs): Handler {
  return async (call) => {
    const id = idOf(call)
    await jobs.remove(id)
    return json({ id, object: 'video.deleted', deleted: true })
  }
}

/** The segment after /v1/videos/. */
export function idOf(call: Pick<Call, 'url'>): string {
  return new URL(call.url).pathname.split('/')[3] ?? ''
}

function shown(job: MediaJob, call: Call) {
  return jobBody(job, (file) => ({ url: publicUrl(file.url, call) }))
}

/** What of OpenAI's API needs another kind of model, by the route's last word. Always rejects with `unsupported_parameter`. */
export function refuseVideoHandler(what: keyof typeof refused): Handler {
  return async () => {
    throw new AppError('unsupported_parameter', {
      message: `${refused[what]}: the models here start from a prompt and at most an image. Make a new one with POST /v1/videos.`,
    })
  }
}

const refused = {
  remix: 'A video cannot be made out of another one',
  edits: 'Videos cannot be edited',
  extensions: 'Videos cannot be extended',
  characters: 'There are no characters',
} as const

function pageAsked(query: URLSearchParams) {
  const after = query.get('after')
  const limit = query.get('limit') ?? '20'
  const order = query.get('order') ?? 'desc'
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 100) throw invalid('limit', 'it must be a number from 1 to 100')
  if (order !== 'asc' && order !== 'desc') throw invalid('order', "it must be 'asc' or 'desc'")
  return { limit: Number(limit), order, ...(after === null || after === '' ? {} : { after }) } as const
}
