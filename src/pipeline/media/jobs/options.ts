// What the jobs of a server work with, and how many they keep.
import type { MediaStore } from '../../../media/store.ts'
import type { MediaPipeline } from '../media.ts'
import type { Room } from '../place.ts'

export interface MediaJobsOptions {
  pipeline: Pick<MediaPipeline, 'make'>
  store: Pick<MediaStore, 'save' | 'open' | 'remove'>
  /** Of job files; made when missing. Several servers may share it. */
  folder: string
  /** How long an ended job is kept. Default a day. */
  keepMs?: number
  /** Ended jobs that are kept. Default 1000. */
  keepJobs?: number
  /** What the makers of a model (by its id) can hold: a job beyond that is refused. Absent or undefined: it is taken, and fails when they refuse it. */
  room?: (model: string) => Room | undefined
  /** What an operator should see and no client does. */
  onNotice?: (message: string, cause: unknown) => void
  /** How often old jobs go, and those of other servers in the folder are looked at. Default a minute. */
  sweepMs?: number
  /** Milliseconds since 1970. */
  now?: () => number
}
