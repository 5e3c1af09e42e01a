// Which ended jobs have to go: by age, then the oldest beyond a number.
import { hasEnded, type MediaJob } from './job.ts'

/** The ids to remove, oldest first. Jobs that wait or run stay whatever their age and number. */
export function overdue(jobs: Iterable<MediaJob>, keepJobs: number, nowMs: number): string[] {
  const ended = [...jobs].filter(hasEnded).sort((a, b) => a.createdMs - b.createdMs)
  const gone = ended.filter((job) => job.expiresMs !== undefined && job.expiresMs <= nowMs)
  const left = ended.filter((job) => !gone.includes(job))
  return [...gone, ...left.slice(0, Math.max(0, left.length - keepJobs))].map((job) => job.id)
}
