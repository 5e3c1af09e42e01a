// What a new job is made of.
import type { EncodedFile, MediaRequest } from '../media.ts'
import type { MediaJob } from './job.ts'

/** A job as it is asked for. */
export interface JobOrder {
  request: MediaRequest
  /** What the job tells before it is made. */
  shown: Pick<MediaJob, 'model' | 'prompt' | 'width' | 'height' | 'frames' | 'fps' | 'seconds'>
  /** Where a finished clip goes in the media store, in safe segments. */
  pathOf(id: string, index: number, file: EncodedFile): string
}

/** Clips that are made already. */
export interface MadeOrder extends Pick<JobOrder, 'shown' | 'pathOf'>, Pick<MediaJob, 'id' | 'createdMs'> {}
