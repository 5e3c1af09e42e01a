// What a job is and how it changes: every change is one pure step, so that what ends stays ended whatever comes late.
import type { AppError } from '../../../lib/errors.ts'

export type JobStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled'

export interface MediaJob {
  /** `video_` and 32 hexadecimal digits; adopted ones `video-`. */
  readonly id: string
  readonly status: JobStatus
  /** Whole percents; 100 only when completed. Never goes back. */
  readonly progress: number
  /** While it waits: jobs before it, as far as that is known. */
  readonly ahead?: number
  /** Milliseconds since 1970; different for each job of a process, so that they order the list. */
  readonly createdMs: number
  readonly startedMs?: number
  readonly endedMs?: number
  /** When the job and its files go away; known once it has ended. */
  readonly expiresMs?: number
  readonly model: string
  readonly prompt: string
  /** Pixels. What was asked for, and once completed what was made. */
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly fps: number
  /** As the client wrote it, else frames by fps. */
  readonly seconds: string
  readonly seed?: number
  readonly workerId?: string
  readonly error?: JobError
  /** Output i is files[i]; empty unless completed. */
  readonly files: readonly JobFile[]
  /** Made and stored without a job: its files are the store's alone. */
  readonly adopted?: boolean
  /** Where the time of a completed job went. */
  readonly ms?: { readonly queued: number; readonly engine: number; readonly encode: number; readonly total: number }
}

/** Why a job failed: a code of lib/errors.ts and its message. */
export interface JobError {
  readonly code: string
  readonly message: string
  readonly type: string
  readonly param: string | null
}

/** A file of the media store that a job owns. */
export interface JobFile {
  /** Of MediaStore.open. */
  readonly path: string
  /** What clients get. */
  readonly url: string
  readonly contentType: string
  /** Without a dot. */
  readonly extension: string
  readonly bytes: number
  readonly fps?: number
  /** What its maker wants users to know. */
  readonly note?: string
}

/** What of a finished clip the job tells. */
export type JobResult = Required<Pick<MediaJob, 'model' | 'width' | 'height' | 'frames' | 'fps' | 'seed' | 'workerId' | 'ms' | 'files'>>

export type JobEvent =
  | { readonly kind: 'waiting'; readonly ahead: number }
  | { readonly kind: 'started'; readonly workerId: string }
  /** 0 to 1 of the denoising work. */
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'completed'; readonly result: JobResult; readonly keepMs: number }
  | { readonly kind: 'failed'; readonly error: JobError; readonly keepMs: number }
  | { readonly kind: 'cancelled'; readonly keepMs: number }

/** What of an error is told in a job; its cause is for the log. */
export function jobError({ code, message, type, param }: AppError): JobError {
  return { code, message, type, param }
}

/** True once nothing can change any more but the job's removal. */
export function hasEnded(job: MediaJob): boolean {
  return job.status !== 'queued' && job.status !== 'in_progress'
}

/** The job after `event`; the same object when it changes nothing. */
export function jobStep(job: MediaJob, event: JobEvent, nowMs: number): MediaJob {
  if (hasEnded(job)) return job
  if (event.kind === 'waiting') return job.status === 'queued' ? { ...job, ahead: event.ahead } : job
  const next = changed(job, event, nowMs)
  if (next === job) return job
  const { ahead: _, ...rest } = next
  return rest
}

function changed(job: MediaJob, event: Exclude<JobEvent, { kind: 'waiting' }>, nowMs: number): MediaJob {
  switch (event.kind) {
    case 'started':
      if (job.status === 'in_progress') return job
      return { ...job, status: 'in_progress', startedMs: nowMs, workerId: event.workerId }
    case 'progress': {
      // The last percent is for what follows the denoising: decoding, encoding, storing.
      const progress = Math.min(99, Math.floor(event.fraction * 100))
      if (!(progress > job.progress)) return job
      return { ...job, status: 'in_progress', startedMs: job.startedMs ?? nowMs, progress }
    }
    case 'completed':
      return { ...job, ...event.result, ...end(nowMs, event.keepMs), status: 'completed', progress: 100 }
    case 'failed':
      return { ...job, ...end(nowMs, event.keepMs), status: 'failed', error: event.error }
    case 'cancelled':
      return { ...job, ...end(nowMs, event.keepMs), status: 'cancelled' }
  }
}

function end(nowMs: number, keepMs: number) {
  return { endedMs: nowMs, expiresMs: nowMs + keepMs }
}
