// Jobs as the handlers use them: made in the background, cancelled, deleted, failed.
import { describe, expect, spyOn, test } from 'bun:test'
import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../../../src/lib/errors.ts'
import { log } from '../../../../src/lib/log.ts'
import { clipBytes } from '../../../helpers/fakes/clips.ts'
import { random as randomFrom } from '../../../helpers/random.ts'
import { ended, has, jobsSetup, order, read } from './jobs-setup.ts'

const { setUp } = jobsSetup()

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

describe('a removal that fails', () => {
  const away = async () => {
    throw new AppError('storage_failed', { message: 'The store is away.' })
  }

  test('for its clips can be asked for again', async () => {
    const { jobs, store, folder, start } = setUp()
    const { remove } = store
    const { id } = await jobs.create(order({ outputs: 2 }))
    const job = await ended(jobs, id)
    store.remove = away
    await expect(jobs.remove(id)).rejects.toMatchObject({ code: 'storage_failed' })
    expect(jobs.get(id)).toEqual(job)
    // Also by the next server.
    expect(has(start(), id)).toBe(true)
    store.remove = remove
    await jobs.remove(id)
    expect([has(jobs, id), store.files.size, readdirSync(folder)]).toEqual([false, 0, []])
  })

  test('for the job itself can be asked for again, and has ended what ran', async () => {
    const { jobs, clips, store, folder } = setUp({ hangAt: 2 })
    const { id } = await jobs.create(order())
    while (clips.steps < 1) await Bun.sleep(1)
    const file = join(folder, `${id}.json`)
    rmSync(file)
    // No file, and not to be removed as one.
    mkdirSync(file)
    await expect(jobs.remove(id)).rejects.toMatchObject({ code: 'storage_failed' })
    expect(jobs.get(id).status).toBe('cancelled')
    rmdirSync(file)
    await jobs.remove(id)
    while (clips.inside > 0) await Bun.sleep(1)
    expect([has(jobs, id), store.files.size, readdirSync(folder)]).toEqual([false, 0, []])
  })

  test('because it was old is tried again by and by', async () => {
    const { jobs, store, folder, notices } = setUp({}, { keepMs: 0, sweepMs: 5 })
    const { remove } = store
    store.remove = away
    await jobs.create(order())
    while (notices.length < 2) await Bun.sleep(1)
    store.remove = remove
    while (readdirSync(folder).length > 0) await Bun.sleep(1)
    expect(store.files.size).toBe(0)
  })

  test('of clips that no video has is in the log, with what to do', async () => {
    const warn = spyOn(log, 'warn').mockImplementation(() => {})
    try {
      const { jobs, store } = setUp()
      store.failAfter = 1
      store.remove = away
      const { id } = await jobs.create(order({ outputs: 2 }))
      expect(await ended(jobs, id)).toMatchObject({ status: 'failed', error: { code: 'storage_failed' } })
      const expected = [{ paths: [`videos/${id}-0.mp4`], err: expect.anything() }, expect.stringContaining('remove them there')]
      expect(warn.mock.calls as unknown[][]).toEqual([expected])
    } finally {
      warn.mockRestore()
    }
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
