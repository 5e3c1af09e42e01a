// Jobs in any order of events: created, cancelled, deleted, adopted, failed, with a store that fails now and then. At the end what is told, what is
// on disk and what is in the store must be the same.
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../../../src/lib/errors.ts'
import { mediaJobs } from '../../../../src/pipeline/media/jobs/media-jobs.ts'
import type { JobOrder } from '../../../../src/pipeline/media/jobs/order.ts'
import { scriptedClips } from '../../../helpers/fakes/clips.ts'
import { memoryStore } from '../../../helpers/fakes/media.ts'
import { random } from '../../../helpers/random.ts'

const root = mkdtempSync(join(tmpdir(), 'dyn-any-order-'))
afterAll(() => rmSync(root, { recursive: true }))

const order: JobOrder = {
  request: { requestId: 'r', kind: 'video', prompt: 'a cat', outputs: 2, images: [], format: { type: 'mp4' }, partials: 0, extra: {} },
  shown: { model: 'filmer', prompt: 'a cat', width: 16, height: 16, frames: 5, fps: 8, seconds: '1' },
  pathOf: (id, index) => `${id}-${index}.mp4`,
}

test.each([1, 2, 3, 4])('seed %i', async (seed) => {
  const draw = random(seed)
  const folder = join(root, String(seed))
  const clips = scriptedClips()
  const store = memoryStore()
  const jobs = mediaJobs({ pipeline: clips, store, folder, keepJobs: 40, room: () => ({ places: 20, taken: 0 }) })
  const live = new AbortController().signal
  const made = await clips.make(order.request, {}, live)
  const expected = new Set(['overloaded', 'media_not_found', 'storage_failed', 'client_closed_request'])
  const refused = (thrown: unknown) => expect(expected).toContain((thrown as AppError).code)
  const ids: string[] = []
  const any = () => ids[draw(ids.length)] ?? 'none'
  const actions = [
    async () => void ids.push((await jobs.create(order)).id),
    async () => void ids.push((await jobs.create(order)).id),
    async () => void (await jobs.cancel(any())),
    async () => jobs.remove(any()),
    async () => {
      const id = `video-${crypto.randomUUID().replaceAll('-', '')}`
      ids.push(id)
      await jobs.adopt({ ...order, id, createdMs: Date.now() }, made, live)
    },
    async () => {
      store.failAfter = draw(3)
      await Bun.sleep(1)
      store.failAfter = Number.POSITIVE_INFINITY
    },
    async () => {
      clips.script = [{}, { hangAt: 2 }, { fail: { after: 3, error: new AppError('out_of_memory', { message: 'No.' }) } }][draw(3)]!
    },
  ]
  const under: Promise<unknown>[] = []
  for (let i = 0; i < 400; i++) {
    under.push(actions[draw(actions.length)]!().catch(refused))
    if (draw(4) === 0) await Bun.sleep(0)
  }
  clips.script = {}
  await Bun.sleep(5)
  await Promise.all([...ids.map((id) => jobs.cancel(id).catch(refused))])
  await Promise.all(under)
  await jobs.close(1000)

  const told = jobs.list({ limit: 1000, order: 'asc' }).jobs
  expect(told.filter((job) => job.endedMs === undefined)).toEqual([])
  expect(readdirSync(folder).sort()).toEqual(told.map((job) => `${job.id}.json`).sort())
  for (const job of told)
    expect(JSON.parse(readFileSync(join(folder, `${job.id}.json`), 'utf8')).job).toEqual(JSON.parse(JSON.stringify(job)))
  const owned = told.flatMap((job) => job.files.map((file) => file.path))
  // Of adopted clips the record may go before the files.
  const kept = [...store.files.keys()].filter((path) => path.startsWith('video_') || owned.includes(path))
  expect(kept.sort()).toEqual(owned.sort())
  expect(told.length).toBeLessThanOrEqual(40)
})
