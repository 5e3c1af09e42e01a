// Which jobs are kept, for how long, and what a restart finds of them.
import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { clipBytes, type ScriptedClips } from '../../../helpers/fakes/clips.ts'
import { until } from '../../../helpers/run-request.ts'
import { ended, has, jobsSetup, order, read } from './jobs-setup.ts'

const { setUp } = jobsSetup()

describe('limits', () => {
  test('more unfinished jobs than allowed are refused', async () => {
    const { jobs } = setUp({ turn: new Promise(() => {}) }, { room: () => ({ places: 2, taken: 0 }) })
    const { id } = await jobs.create(order())
    await jobs.create(order())
    await expect(jobs.create(order())).rejects.toMatchObject({ code: 'overloaded' })
    await jobs.cancel(id)
    await jobs.create(order())
  })

  test('what others wait for counts too, other models do not', async () => {
    const { jobs } = setUp({ turn: new Promise(() => {}) }, { room: (model) => ({ places: 2, taken: model === 'full' ? 2 : 0 }) })
    const of = (model: string) => ({ ...order(), shown: { ...order().shown, model } })
    await expect(jobs.create(of('full'))).rejects.toMatchObject({ code: 'overloaded' })
    for (const model of ['one', 'two', 'one', 'two']) await jobs.create(of(model))
    await expect(jobs.create(of('one'))).rejects.toThrow("2 jobs of 'one' already wait")
  })

  test('a server that will stop takes no new one, and goes on with the others', async () => {
    const { jobs } = setUp({ paceMs: 2 })
    const { id } = await jobs.create(order())
    jobs.refuse()
    await expect(jobs.create(order())).rejects.toMatchObject({ code: 'shutting_down', status: 503 })
    expect((await ended(jobs, id)).status).toBe('completed')
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

  test.each([['a stop', 'close'] as const, ['the word that one comes', 'refuse'] as const])(
    'after %s in the middle of an order: it was refused, and there is nothing of it',
    async (_, what) => {
      const { jobs, start, clips, folder } = setUp({ hangAt: 2 })
      const creating = jobs.create(order())
      const stopped = what === 'close' ? jobs.close(0) : jobs.refuse()
      await expect(creating).rejects.toMatchObject({ code: 'shutting_down', status: 503 })
      await stopped
      expect([clips.requests.length, readdirSync(folder), start().counts().failed]).toEqual([0, [], 0])
    },
  )

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
    const { folder, start } = setUp({}, { sweepMs: 20 })
    const child = Bun.spawn(['bun', join(import.meta.dir, 'jobs-process.ts'), folder], { stdout: 'pipe', stderr: 'inherit' })
    const line = new TextDecoder().decode((await child.stdout.getReader().read()).value)
    const { done, running, waiting } = JSON.parse(line) as Record<string, string>
    const beside = start()
    expect([done, running, waiting].map((id) => has(beside, id!))).toEqual([true, false, false])
    child.kill('SIGKILL')
    await child.exited
    // Who started beside it finds out by and by, who starts now at once.
    await until('the other server sees the end', () => has(beside, running!) && has(beside, waiting!))
    await beside.close(0)
    const after = start()
    expect(after.get(done!)).toMatchObject({ status: 'completed', prompt: 'a cat', seed: 3 })
    for (const id of [running!, waiting!])
      expect([after.get(id)?.status, after.get(id)?.error?.code]).toEqual(['failed', 'server_restarted'])
    expect(after.get(running!)?.error?.message).toContain('Create it again')
    await after.close(0)
    expect(start().get(running!)).toEqual(after.get(running!)!)
  })
})
