// Jobs as the handlers use them: made in the background, cancelled, deleted, failed, and found again after a restart.
import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../../../src/lib/errors.ts'
import { hasEnded } from '../../../../src/pipeline/media/jobs/job.ts'
import { type MediaJobs, mediaJobs } from '../../../../src/pipeline/media/jobs/jobs.ts'
import type { MediaJobsOptions } from '../../../../src/pipeline/media/jobs/options.ts'
import type { JobOrder } from '../../../../src/pipeline/media/jobs/order.ts'
import { type ClipScript, clipBytes, clipDefaults, type ScriptedClips, scriptedClips } from '../../../helpers/fakes/clips.ts'
import { memoryStore } from '../../../helpers/fakes/media.ts'
import { random as randomFrom } from '../../../helpers/random.ts'

const root = mkdtempSync(join(tmpdir(), 'dyn-jobs-'))
afterAll(() => rmSync(root, { recursive: true }))
const open: MediaJobs[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((jobs) => jobs.close(0)))
})

function setUp(script: ClipScript = {}, options: Partial<MediaJobsOptions> = {}) {
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
}

function order(more: Partial<JobOrder['request']> = {}): JobOrder {
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
async function ended(jobs: MediaJobs, id: string) {
  for (;;) {
    const job = jobs.get(id)
    if (hasEnded(job)) return job
    await Bun.sleep(1)
  }
}

const has = (jobs: MediaJobs, id: string) => jobs.list({ limit: 1000, order: 'asc' }).jobs.some((job) => job.id === id)

const read = async ({ stored }: Awaited<ReturnType<MediaJobs['content']>>) => new Response(stored.read(0, stored.bytes)).text()

describe('a job', () => {
  test('waits, runs, ends, and its clip can be read', async () => {
    let go = () => {}
    const { jobs } = setUp({ turn: new Promise<void>((resolve) => (go = resolve)) })
    const { id, status } = await jobs.create(order({ seed: 7 }))
    expect([id, status]).toEqual([expect.stringMatching(/^video_[0-9a-f]{32}$/), 'queued'])
    go()
    expect(await ended(jobs, id)).toMatchObject({
      status: 'completed',
      progress: 100,
      seed: 7,
      workerId: 'maker-0',
      files: [{ extension: 'mp4' }],
    })
    expect(await read(await jobs.content(id))).toBe(clipBytes(7, 0))
    expect(jobs.counts()).toMatchObject({ completed: 1, queued: 0 })
  })

  test('progress grows step by step', async () => {
    const { jobs } = setUp({ steps: 20, paceMs: 1 })
    const { id } = await jobs.create(order())
    const seen: number[] = []
    while (jobs.get(id).status !== 'completed') {
      seen.push(jobs.get(id).progress)
      await Bun.sleep(1)
    }
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(new Set(seen).size).toBeGreaterThan(3)
  })

  test('of several clips keeps them all', async () => {
    const { jobs, store } = setUp()
    const { id } = await jobs.create(order({ outputs: 3, seed: 5 }))
    await ended(jobs, id)
    expect(store.files.size).toBe(3)
    expect(await read(await jobs.content(id, 2))).toBe(clipBytes(5, 2))
    await expect(jobs.content(id, 3)).rejects.toMatchObject({ code: 'media_not_found', message: expect.stringContaining('3 clips') })
  })

  test('that failed says why and has no content', async () => {
    const error = new AppError('out_of_memory', { message: 'The GPU has no room for 81 frames.' })
    const { jobs, notices } = setUp({ fail: { after: 2, error } })
    const { id } = await jobs.create(order())
    expect(await ended(jobs, id)).toMatchObject({
      status: 'failed',
      progress: 50,
      error: { code: 'out_of_memory', message: error.message },
    })
    await expect(jobs.content(id)).rejects.toMatchObject({ code: 'job_failed', message: expect.stringContaining('no room') })
    expect(notices).toHaveLength(1)
  })

  test('whose failure has no words shows no library text', async () => {
    const { jobs } = setUp({ fail: { after: 0, error: new Error('EPIPE at 0x1234') as AppError } })
    const { id } = await jobs.create(order())
    expect((await ended(jobs, id)).error).toMatchObject({ code: 'internal_error', message: expect.not.stringContaining('EPIPE') })
  })

  test('before its end has no content', async () => {
    const { jobs } = setUp({ hangAt: 3 })
    const { id } = await jobs.create(order())
    while (jobs.get(id).progress < 50) await Bun.sleep(1)
    await expect(jobs.content(id)).rejects.toMatchObject({ code: 'job_not_finished', status: 409 })
    await expect(jobs.content('video_x')).rejects.toMatchObject({ code: 'media_not_found', status: 404 })
  })
})

describe('cancel', () => {
  test('of one that waits ends it at once', async () => {
    const { jobs, clips } = setUp({ turn: new Promise(() => {}) })
    const { id } = await jobs.create(order())
    expect(await jobs.cancel(id)).toMatchObject({ status: 'cancelled' })
    await expect(jobs.content(id)).rejects.toMatchObject({ code: 'job_cancelled' })
    while (clips.inside > 0) await Bun.sleep(1)
    expect(clips.steps).toBe(0)
  })

  test('of an ended one changes nothing, of an unknown one says so', async () => {
    const { jobs } = setUp()
    const { id } = await jobs.create(order())
    const job = await ended(jobs, id)
    expect(await jobs.cancel(id)).toBe(job)
    await expect(jobs.cancel('video_x')).rejects.toMatchObject({ code: 'media_not_found' })
  })

  test('at a random moment, a hundred times: no step after it, no file left, the next job is fine', async () => {
    const { jobs, clips, store, folder } = setUp({ steps: 6 })
    const random = randomFrom(11)
    const outcomes = { cancelled: 0, completed: 0 }
    for (let i = 0; i < 100; i++) {
      const { id } = await jobs.create(order({ seed: i }))
      for (let turns = random(12); turns > 0; turns--) await Bun.sleep(0)
      const { status } = await jobs.cancel(id)
      const steps = clips.steps
      outcomes[status as 'cancelled']++
      while (clips.inside > 0) await Bun.sleep(0)
      if (status === 'cancelled') expect(clips.steps - steps).toBeLessThanOrEqual(0)
    }
    expect(outcomes.cancelled + outcomes.completed).toBe(100)
    expect(outcomes.cancelled).toBeGreaterThan(10)
    const { id } = await jobs.create(order({ seed: 1000 }))
    expect(await ended(jobs, id)).toMatchObject({ status: 'completed' })
    expect(store.files.size).toBe(outcomes.completed + 1)
    expect(readdirSync(folder)).toHaveLength(101)
  })
})

describe('remove', () => {
  test('takes the files along', async () => {
    const { jobs, store, folder } = setUp()
    const { id } = await jobs.create(order({ outputs: 2 }))
    await ended(jobs, id)
    await jobs.remove(id)
    expect([has(jobs, id), store.files.size, readdirSync(folder)]).toEqual([false, 0, []])
    await expect(jobs.remove(id)).rejects.toMatchObject({ code: 'media_not_found' })
  })

  test('ends what runs, and nothing of it comes back', async () => {
    const { jobs, clips, store, folder } = setUp({ paceMs: 2 })
    for (let wait = 0; wait < 16; wait++) {
      const { id } = await jobs.create(order())
      await Bun.sleep(wait)
      await jobs.remove(id)
    }
    while (clips.inside > 0) await Bun.sleep(1)
    await jobs.close(0)
    expect([store.files.size, readdirSync(folder), jobs.list({ limit: 9, order: 'asc' }).jobs]).toEqual([0, [], []])
  })
})

describe('what cannot be stored', () => {
  test('fails the job, and no clip of it stays', async () => {
    const { jobs, store } = setUp()
    store.failAfter = 1
    const { id } = await jobs.create(order({ outputs: 2 }))
    expect(await ended(jobs, id)).toMatchObject({ status: 'failed', error: { code: 'storage_failed' }, files: [] })
    expect(store.files.size).toBe(0)
  })

  test('a job that cannot be written down is refused', async () => {
    const { jobs, folder } = setUp()
    rmSync(folder, { recursive: true })
    await expect(jobs.create(order())).rejects.toMatchObject({ code: 'storage_failed' })
    expect(jobs.list({ limit: 9, order: 'asc' }).jobs).toEqual([])
  })

  test('an end that cannot be written down is a failure', async () => {
    let go = () => {}
    const { jobs, folder, store, clips } = setUp({ turn: new Promise<void>((resolve) => (go = resolve)) })
    const { id } = await jobs.create(order())
    rmSync(folder, { recursive: true })
    go()
    expect(await ended(jobs, id)).toMatchObject({ status: 'failed', error: { code: 'storage_failed' } })
    while (clips.inside > 0) await Bun.sleep(1)
    await jobs.close(0)
    expect(store.files.size).toBe(0)
  })
})

describe('limits', () => {
  test('more unfinished jobs than allowed are refused', async () => {
    const { jobs } = setUp({ turn: new Promise(() => {}) }, { maxUnfinished: 2 })
    const { id } = await jobs.create(order())
    await jobs.create(order())
    await expect(jobs.create(order())).rejects.toMatchObject({ code: 'overloaded' })
    await jobs.cancel(id)
    await jobs.create(order())
  })

  test('the oldest ended jobs go with their files', async () => {
    const { jobs, store } = setUp({}, { keepJobs: 2 })
    const ids: string[] = []
    for (let i = 0; i < 4; i++) {
      const { id } = await jobs.create(order())
      ids.push(id)
      await ended(jobs, id)
    }
    while (jobs.list({ limit: 9, order: 'asc' }).jobs.length > 2) await Bun.sleep(1)
    expect(jobs.list({ limit: 9, order: 'asc' }).jobs.map((job) => job.id)).toEqual(ids.slice(2))
    expect(store.files.size).toBe(2)
  })

  test('old ones are gone at the next start', async () => {
    let now = 1_000_000
    const { jobs, start, store } = setUp({}, { keepMs: 1000, now: () => now })
    const { id } = await jobs.create(order())
    expect((await ended(jobs, id)).expiresMs).toBe(now + 1000)
    now += 1000
    const later = start()
    expect(has(later, id)).toBe(false)
    expect(store.files.size).toBe(0)
  })
})

describe('adopted clips', () => {
  const id = `video-${'1'.repeat(32)}`
  const live = new AbortController().signal
  const made = (clips: ScriptedClips, outputs = 1) => clips.make(order({ outputs }).request, {}, live)

  test('are found like jobs, and their files are not removed for their age', async () => {
    const { jobs, clips, store, start } = setUp({}, { keepJobs: 1 })
    expect(await jobs.adopt({ ...order(), id, createdMs: 5 }, await made(clips), live)).toMatchObject({ status: 'completed', createdMs: 5 })
    await jobs.close(0)
    const later = start()
    expect(later.get(id)).toMatchObject({ status: 'completed', seed: 42 })
    expect(await read(await later.content(id))).toBe(clipBytes(42, 0))
    const next = await later.create(order())
    await ended(later, next.id)
    expect([has(later, id), store.files.has(`videos/${id}-0.mp4`)]).toEqual([false, true])
  })

  test('are deleted with their files when somebody asks for it', async () => {
    const { jobs, clips, store } = setUp()
    await jobs.adopt({ ...order(), id, createdMs: 5 }, await made(clips), live)
    expect(store.files.size).toBe(1)
    await jobs.remove(id)
    expect(store.files.size).toBe(0)
  })

  test('that cannot all be stored are not there at all', async () => {
    const { jobs, clips, store } = setUp()
    store.failAfter = 2
    await expect(jobs.adopt({ ...order(), id, createdMs: 5 }, await made(clips, 3), live)).rejects.toMatchObject({ code: 'storage_failed' })
    expect([has(jobs, id), store.files.size]).toEqual([false, 0])
  })

  test('that nobody waits for any more are not there either', async () => {
    const { jobs, clips, store } = setUp()
    const gone = new AbortController()
    const adopting = jobs.adopt({ ...order(), id, createdMs: 5 }, await made(clips), gone.signal)
    gone.abort()
    await expect(adopting).rejects.toMatchObject({ code: 'client_closed_request' })
    expect([has(jobs, id), store.files.size]).toEqual([false, 0])
  })
})

describe('a restart', () => {
  test('after a stop: what had ended is as it was, what ran says that the server stopped', async () => {
    const { jobs, start, clips } = setUp()
    const done = await jobs.create(order())
    const before = await ended(jobs, done.id)
    clips.script = { hangAt: 2 }
    const running = await jobs.create(order())
    await jobs.close(0)
    await expect(jobs.create(order())).rejects.toMatchObject({ code: 'shutting_down' })
    const later = start()
    expect(later.get(done.id)).toEqual(before!)
    expect(await read(await later.content(done.id))).toBe(clipBytes(42, 0))
    expect(later.get(running.id)).toMatchObject({ status: 'failed', progress: 25, error: { code: 'shutting_down' } })
  })

  test('a stop waits for what is nearly done', async () => {
    const { jobs } = setUp({ paceMs: 5 })
    const { id } = await jobs.create(order())
    await jobs.close(10_000)
    expect(jobs.get(id)?.status).toBe('completed')
  })

  test('a stop does not wait for an engine that does not hear', async () => {
    const deaf = { make: () => new Promise<never>(() => {}) }
    const { jobs, start } = setUp({}, { pipeline: deaf })
    const { id } = await jobs.create(order())
    await jobs.close(0)
    expect(start().get(id)?.error?.code).toBe('shutting_down')
  })

  test('after a crash: what waited or ran is failed; while the other server lives, its jobs are not touched', async () => {
    const { folder, start } = setUp()
    const child = Bun.spawn(['bun', join(import.meta.dir, 'jobs-process.ts'), folder], { stdout: 'pipe', stderr: 'inherit' })
    const line = new TextDecoder().decode((await child.stdout.getReader().read()).value)
    const { done, running, waiting } = JSON.parse(line) as Record<string, string>
    const beside = start()
    expect([done, running, waiting].map((id) => has(beside, id!))).toEqual([true, false, false])
    child.kill('SIGKILL')
    await child.exited
    const after = start()
    expect(after.get(done!)).toMatchObject({ status: 'completed', prompt: 'a cat', seed: 3 })
    for (const id of [running!, waiting!])
      expect([after.get(id)?.status, after.get(id)?.error?.code]).toEqual(['failed', 'server_restarted'])
    expect(after.get(running!)?.error?.message).toContain('Create it again')
    await after.close(0)
    expect(start().get(running!)).toEqual(after.get(running!)!)
  })
})
