// A process that the test of restarts kills: one finished job, one that runs for ever, one that waits for ever; their ids go to stdout.
import { hasEnded, type MediaJob } from '../../../../src/pipeline/media/jobs/job.ts'
import { mediaJobs } from '../../../../src/pipeline/media/jobs/media-jobs.ts'
import { scriptedClips } from '../../../helpers/fakes/clips.ts'
import { memoryStore } from '../../../helpers/fakes/media.ts'

const clips = scriptedClips()
const jobs = mediaJobs({ pipeline: clips, store: memoryStore(), folder: process.argv[2]! })
const create = (seed: number) =>
  jobs.create({
    request: {
      ...{ requestId: 'r', kind: 'video', prompt: 'a cat', outputs: 1, images: [], format: { type: 'mp4' }, partials: 0, extra: {} },
      seed,
    },
    shown: { model: 'filmer', prompt: 'a cat', width: 16, height: 16, frames: 5, fps: 8, seconds: '1' },
    pathOf: (id) => `${id}.mp4`,
  })
const until = async (id: string, good: (job: MediaJob) => boolean) => {
  while (!good(jobs.get(id))) await Bun.sleep(1)
  return id
}
const done = await until((await create(3)).id, hasEnded)
clips.script = { hangAt: 2 }
const running = await until((await create(4)).id, (job) => job.progress > 0)
clips.script = { turn: new Promise(() => {}) }
const waiting = (await create(5)).id
console.log(JSON.stringify({ done, running, waiting }))
await Bun.sleep(600_000)
