// The rest of OpenAI's video API: jobs listed, asked for, cancelled and deleted. Routes without a JSON body; they throw AppErrors.
import { AppError } from '../../lib/errors.ts'
import { noVideo } from '../../pipeline/media/jobs/file-of.ts'
import { hasEnded, type MediaJob } from '../../pipeline/media/jobs/job.ts'
import { json } from '../call.ts'
import { publicUrl } from '../media/public-url.ts'
import { invalid } from '../request/faults.ts'
import type { VideosApi } from './api.ts'
import { jobBody } from './shape.ts'

type Asked = Pick<Request, 'url' | 'headers'>

export interface VideoJobRoutes {
  /** GET /v1/videos?after=&limit=&order= */
  list(request: Asked): Response
  /** GET /v1/videos/{id} */
  get(request: Asked, id: string): Response
  /** POST /v1/videos/{id}/cancel: what has ended stays as it is, and the answer shows it. */
  cancel(request: Asked, id: string): Promise<Response>
  /** DELETE /v1/videos/{id}: also ends what waits or runs. */
  remove(id: string): Promise<Response>
}

/** How often OpenAI's clients ask again. */
const POLL_MS = 1000

export function videoJobRoutes(api: Pick<VideosApi, 'jobs'>): VideoJobRoutes {
  const shown = (job: MediaJob, request: Asked) => jobBody(job, (file) => ({ url: publicUrl(file.url, request) }))
  return {
    list(request) {
      const { jobs, more } = api.jobs.list(pageAsked(new URL(request.url).searchParams))
      const data = jobs.map((job) => shown(job, request))
      return json({ object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: more })
    },
    get(request, id) {
      const job = api.jobs.get(id)
      if (job === undefined) throw noVideo(id)
      return json(shown(job, request), hasEnded(job) ? {} : { 'openai-poll-after-ms': String(POLL_MS) })
    },
    async cancel(request, id) {
      const job = await api.jobs.cancel(id)
      if (job === undefined) throw noVideo(id)
      return json(shown(job, request))
    },
    async remove(id) {
      if (!(await api.jobs.remove(id))) throw noVideo(id)
      return json({ id, object: 'video.deleted', deleted: true })
    },
  }
}

/** What of OpenAI's API needs another kind of model, by the route's last word. Always throws `unsupported_parameter`. */
export function refuseVideoRoute(what: 'remix' | 'edits' | 'extensions' | 'characters'): never {
  const why = {
    remix: 'A video cannot be made out of another one',
    edits: 'Videos cannot be edited',
    extensions: 'Videos cannot be extended',
    characters: 'There are no characters',
  }[what]
  throw new AppError('unsupported_parameter', {
    message: `${why}: the models here start from a prompt and at most an image. Make a new one with POST /v1/videos.`,
  })
}

function pageAsked(query: URLSearchParams) {
  const after = query.get('after')
  const limit = query.get('limit') ?? '20'
  const order = query.get('order') ?? 'desc'
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 100) throw invalid('limit', 'it must be a number from 1 to 100')
  if (order !== 'asc' && order !== 'desc') throw invalid('order', "it must be 'asc' or 'desc'")
  return { limit: Number(limit), order, ...(after === null || after === '' ? {} : { after }) } as const
}
