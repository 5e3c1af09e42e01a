// Jobs over scripted clips and a store in memory, for the tests of this folder.
import { afterAll, afterEach } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasEnded } from '../../../../src/pipeline/media/jobs/job.ts'
import type { MediaJobs } from '../../../../src/pipeline/media/jobs/jobs.ts'
import { mediaJobs } from '../../../../src/pipeline/media/jobs/media-jobs.ts'
import type { MediaJobsOptions } from '../../../../src/pipeline/media/jobs/options.ts'
import type { JobOrder } from '../../../../src/pipeline/media/jobs/order.ts'
import { type ClipScript, clipDefaults, scriptedClips } from '../../../helpers/fakes/clips.ts'
import { memoryStore } from '../../../helpers/fakes/media.ts'

/** To be called once a test file: a folder of its own, and every jobs closed after each test. */
export function jobsSetup() {
  const root = mkdtempSync(join(tmpdir(), 'dyn-jobs-'))
  afterAll(() => rmSync(root, { recursive: true }))
  const open: MediaJobs[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((jobs) => jobs.close(0)))
  })
  return {
    root,
    setUp(script: ClipScript = {}, options: Partial<MediaJobsOptions> = {}) {
      const clips = scriptedClips(script)
      const store = memoryStore()
      const folder = mkdtempSync(join(root, 'f-'))
      const notices: string[] = []
      const all = { pipeline: clips, store, folder, onNotice: (message: string) => notices.push(message), ...options }
      const start = () => {
        const jobs = mediaJobs(all)
        open.push(jobs)
        return jobs
      }
      return { clips, store, folder, notices, start, jobs: start() }
    },
  }
}

export function order(more: Partial<JobOrder['request']> = {}): JobOrder {
  const { width, height, frames, fps } = clipDefaults
  return {
    request: {
      ...{ requestId: 'r', kind: 'video', prompt: 'a cat', outputs: 1, images: [], format: { type: 'mp4' }, partials: 0, extra: {} },
      ...more,
    },
    shown: { model: 'filmer', prompt: 'a cat', width, height, frames, fps, seconds: '5' },
    pathOf: (id, index, file) => `videos/${id}-${index}.${file.extension}`,
  }
}

/** The job once it has ended. */
export async function ended(jobs: MediaJobs, id: string) {
  for (;;) {
    const job = jobs.get(id)
    if (hasEnded(job)) return job
    await Bun.sleep(1)
  }
}

export const has = (jobs: MediaJobs, id: string) => jobs.list({ limit: 1000, order: 'asc' }).jobs.some((job) => job.id === id)

export const read = async ({ stored }: Awaited<ReturnType<MediaJobs['content']>>) => new Response(stored.read(0, stored.bytes)).text()
