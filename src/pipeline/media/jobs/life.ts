// How a job begins, how a made clip ends it, and what there is instead of one while the server stops. Pure.
import { AppError } from '../../../lib/errors.ts'
import type { Made } from '../media.ts'
import type { JobEvent, JobFile, MediaJob } from './job.ts'
import type { JobOrder } from './order.ts'

export function queued(id: string, createdMs: number, shown: JobOrder['shown']): MediaJob {
  return { id, status: 'queued', progress: 0, createdMs, ...shown, files: [] }
}

/** The end of a job whose clips lie in the store as `files`. */
export function completion(made: Made, files: readonly JobFile[], keepMs: number): JobEvent {
  const { model, width, height, frames, seed, workerId, ms } = made
  const fps = made.fps ?? 0
  return { kind: 'completed', result: { model, width, height, frames, fps, seed, workerId, ms, files }, keepMs }
}

/** `shutting_down`. */
export function notTaken(): AppError {
  return new AppError('shutting_down', { message: 'The server is stopping and takes no new video.', retryAfterSecs: 5 })
}
