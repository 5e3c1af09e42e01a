// The clip of a job that somebody wants to read, or why there is none.
import { AppError } from '../../../lib/errors.ts'
import { hasEnded, type JobFile, type MediaJob } from './job.ts'

/** Throws `media_not_found`, `job_not_finished`, `job_failed`, `job_cancelled`. */
export function fileOf(job: MediaJob, index: number): JobFile {
  if (!hasEnded(job))
    throw new AppError('job_not_finished', {
      message: `The video is not finished: it is ${job.status}, ${job.progress} %. Ask again later.`,
    })
  if (job.status === 'cancelled') throw new AppError('job_cancelled', { message: 'The video was cancelled and has no content.' })
  if (job.status === 'failed')
    throw new AppError('job_failed', { message: `The video failed and has no content: ${job.error?.message ?? 'the cause is not known'}` })
  const file = job.files[index]
  if (file !== undefined) return file
  const message = `The video has ${job.files.length} clip${job.files.length === 1 ? '' : 's'}, counted from 0; there is no clip ${index}.`
  throw new AppError('media_not_found', { message })
}

/** `media_not_found` for a job. */
export function noVideo(id: string): AppError {
  return new AppError('media_not_found', { message: `There is no video '${id.slice(0, 100)}' (any more).` })
}
