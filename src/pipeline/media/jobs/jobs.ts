// Seam: videos made in the background, as the handlers of POST /v1/videos use them. media-jobs.ts keeps them in a folder.
import type { StoredFile } from '../../../media/store.ts'
import type { Made } from '../media.ts'
import type { JobFile, MediaJob } from './job.ts'
import type { JobOrder, MadeOrder } from './order.ts'
import type { Page, PageRequest } from './page.ts'

export interface MediaJobs {
  /** Writes the job down and starts it. Rejects with `overloaded` (too many wait), `storage_failed` (it cannot be written), `shutting_down`; then there is none. */
  create(order: JobOrder): Promise<MediaJob>
  /**
   * Stores clips that were made while the client waited, so that they can be asked for like a job's. Rejects with `storage_failed`, and with
   * `client_closed_request` when `signal` is aborted meanwhile; then nothing is kept. The job itself is written down later: the client waits for
   * the clip, not for that. When it is forgotten for its age, its files stay: how long is the store's.
   */
  adopt(clip: MadeOrder, made: Made, signal: AbortSignal): Promise<MediaJob>
  /** Throws `media_not_found`. */
  get(id: string): MediaJob
  /** Throws `invalid_value`: `after` is not there. */
  list(request: PageRequest): Page
  /** What waits ends at once, what runs before its next step; what has ended stays as it is. Rejects with `media_not_found`. */
  cancel(id: string): Promise<MediaJob>
  /** Ends the job and forgets it with its files. Rejects with `media_not_found`, and with `storage_failed`: then it has ended, and can be removed again. */
  remove(id: string): Promise<void>
  /** The clip `index` of a completed job. Rejects with `media_not_found`, `job_not_finished`, `job_failed`, `job_cancelled`. */
  content(id: string, index?: number): Promise<{ file: JobFile; stored: StoredFile }>
  /** Jobs by status, for metrics. */
  counts(): Readonly<Record<MediaJob['status'], number>>
  /** Takes no job any more: the server will stop soon. */
  refuse(): void
  /** Takes no job any more, lets the others go on until `deadlineMs` from now, and fails what is left with `shutting_down`. Idempotent. */
  close(deadlineMs: number): Promise<void>
}
