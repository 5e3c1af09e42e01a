// One page of the list of jobs, as OpenAI's lists are cut.
import { AppError } from '../../../lib/errors.ts'
import type { MediaJob } from './job.ts'

export interface PageRequest {
  /** The id that the page follows. */
  after?: string
  limit: number
  /** By the time of creation. */
  order: 'asc' | 'desc'
}

export interface Page {
  jobs: MediaJob[]
  more: boolean
}

/** Throws `invalid_value` when `after` is no job (any more). */
export function pageOf(jobs: Iterable<MediaJob>, { after, limit, order }: PageRequest): Page {
  const sign = order === 'asc' ? 1 : -1
  const all = [...jobs].sort((a, b) => sign * (a.createdMs - b.createdMs || (a.id < b.id ? -1 : 1)))
  const at = after === undefined ? -1 : all.findIndex((job) => job.id === after)
  if (after !== undefined && at < 0)
    throw new AppError('invalid_value', {
      message: `Invalid value for 'after': there is no video '${after.slice(0, 100)}' (any more). List from the start.`,
      param: 'after',
    })
  const from = at + 1
  return { jobs: all.slice(from, from + limit), more: from + limit < all.length }
}
