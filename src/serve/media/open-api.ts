// What the media handlers work with: the store of finished files, the jobs of POST /v1/videos, the policy for users' images.
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { mediaScrapes, videoJobs } from '../../lib/media-metrics.ts'
import { readInput } from '../../media/input/input.ts'
import { openStore } from '../../media/store/open.ts'
import type { MediaStore } from '../../media/store.ts'
import type { MediaJobs } from '../../pipeline/media/jobs/jobs.ts'
import { mediaJobs } from '../../pipeline/media/jobs/media-jobs.ts'
import type { MediaPipeline } from '../../pipeline/media/media.ts'
import type { MediaRegistry } from '../../pipeline/media/media-registry.ts'
import { inputPolicy, noteFolder } from '../input-policy.ts'
import type { MediaOptions } from '../options.ts'
import { mediaHandlers } from './handlers.ts'
import { measuredStore } from './measured.ts'
import type { MediaHandlers } from './media-front.ts'

export interface OpenedMedia {
  handlers: MediaHandlers
  jobs: MediaJobs
  close(): Promise<void>
}

const SWEEP_MS = 60_000

export interface MediaApiOptions {
  media: Pick<MediaOptions, 'store' | 'jobsFolder' | 'jobKeepMs' | 'input'>
  ignoreUnknownFields: boolean
}

/** `registry`: whom `media` asks. Rejects with `invalid_setting` or `storage_failed` when results could not be kept as asked. */
export async function openMediaApi(
  options: MediaApiOptions,
  media: MediaPipeline,
  registry: Pick<MediaRegistry, 'room'>,
): Promise<OpenedMedia> {
  const { jobsFolder, jobKeepMs } = options.media
  const store = measuredStore(await openStore(options.media.store))
  let jobs: MediaJobs
  try {
    jobs = mediaJobs({
      pipeline: media,
      store,
      folder: join(jobsFolder, keyOf(store)),
      keepMs: jobKeepMs,
      room: registry.room,
      // Where our own words say why, a stack says nothing more.
      onNotice: (message, cause) =>
        log.warn(cause instanceof AppError ? { code: cause.code, reason: cause.message } : { err: cause }, message),
    })
  } catch (error) {
    await store.close()
    throw error
  }
  const policy = inputPolicy(options.media.input)
  noteFolder(options.media.input)
  const handlers = mediaHandlers({
    ...{ media, jobs, store },
    input: (source, param, signal) => readInput(source, policy, param, signal),
    ignoreUnknownFields: options.ignoreUnknownFields,
  })
  const stopSweeping = sweepNowAndThen(store)
  const fill = () => {
    for (const [status, count] of Object.entries(jobs.counts())) videoJobs.set({ status }, count)
  }
  mediaScrapes.add(fill)
  return {
    ...{ handlers, jobs },
    async close() {
      mediaScrapes.delete(fill)
      stopSweeping()
      await store.close()
    },
  }
}

/** Jobs are with those servers that have their clips, whoever else has the same folder of jobs: a name for it, the same for the same place. */
function keyOf({ place }: MediaStore): string {
  return new Bun.CryptoHasher('sha256').update(place).digest('hex').slice(0, 32)
}

/** Old files go, and the oldest until the rest fits. */
function sweepNowAndThen(store: MediaStore): () => void {
  const sweep = () => void store.sweep(Date.now()).catch((err) => log.warn({ err }, 'the media store could not be tidied up'))
  const timer = setInterval(sweep, SWEEP_MS)
  timer.unref()
  sweep()
  return () => clearInterval(timer)
}
