// Frames that another process wrote to shared memory, and the ends of jobs that hold them.
import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { DiffusionListener } from '../../../../src/engine/diffusion/diffusion.ts'
import { DiffusionJobs } from '../../../../src/engine/sglang/diffusion/jobs.ts'
import { makeFrameFolder, mapFrames } from '../../../../src/engine/sglang/diffusion/shared-frames.ts'
import type { Frames } from '../../../../src/media/frames.ts'

const parent = mkdtempSync('/dev/shm/diffusion-frames-')
afterAll(() => rmSync(parent, { recursive: true, force: true }))

/** A file of two frames of 3x2 pixels, as the bridge writes it. */
function written(name: string, folder = parent): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    Uint8Array.from({ length: 36 }, (_, i) => i),
  )
  return path
}

test('a mapped file has no name any more, its frames are good until they are given back', () => {
  const path = written('1-0')
  const clip = mapFrames(path, 2, 2, 3)
  expect(existsSync(path)).toBe(false)
  expect(clip).toMatchObject({ format: 'rgb24', width: 3, height: 2, count: 2 })
  expect([...clip.frame(1)]).toEqual(Array.from({ length: 18 }, (_, i) => 18 + i))
  clip.release()
  clip.release()
  expect(() => clip.frame(0)).toThrow()
  expect(() => mapFrames(written('1-1'), 3, 2, 3)).toThrow('36 bytes')
  expect(readdirSync(parent)).toEqual([])
})

test('folders of processes that are gone are removed; others stay, those of living processes in other containers among them', () => {
  const own = basename(makeFrameFolder(parent))
  const [prefix, container] = [own.slice(0, 'dsgl-frames'.length), own.split('-')[2]!]
  const gone = `${prefix}-${container}-999999999-abc`
  const elsewhere = `${prefix}-${Number(container) + 1}-999999999-abc`
  const forgotten = `${prefix}-${Number(container) + 1}-999999998-abc`
  for (const name of [gone, elsewhere, forgotten, 'something-else']) mkdirSync(join(parent, name))
  writeFileSync(join(parent, gone, '1-0'), 'x')
  const twoDaysAgo = Date.now() / 1000 - 48 * 3600
  utimesSync(join(parent, forgotten), twoDaysAgo, twoDaysAgo)
  const made = basename(makeFrameFolder(parent))
  expect(readdirSync(parent).sort()).toEqual([own, made, elsewhere, 'something-else'].sort())
})

function started(listener: Partial<DiffusionListener> = {}) {
  const folder = mkdtempSync(join(parent, 'jobs-'))
  const jobs = new DiffusionJobs()
  jobs.folders = [folder]
  const abort = new AbortController()
  const cancelled: number[] = []
  const clips: Frames[] = []
  const whole = { progress() {}, frames: (_output: number, clip: Frames) => clips.push(clip), ...listener }
  const { job, ended } = jobs.open(whole, abort.signal, (number) => cancelled.push(number))
  const frames = () => jobs.take([52, job, 0, written(`${job}-0`, folder), 2, 2, 3, 0, 2])
  return { folder, jobs, abort, cancelled, clips, job, ended: ended.catch((error) => error), frames }
}

test('a clip outlives its job; what was never taken goes with it', async () => {
  const { folder, jobs, clips, job, ended, frames } = started()
  frames()
  written(`${job}-1`, folder)
  jobs.take([54, job, 'failed', 'RuntimeError', 'the moon is full'])
  expect(await ended).toMatchObject({ code: 'engine_failed', message: expect.stringContaining('RuntimeError: the moon is full') })
  expect(clips[0]!.frame(0)).toHaveLength(18)
  expect(readdirSync(folder)).toEqual([])
  expect(jobs.size).toBe(0)
})

test('after a cancel nothing is told, and the end is a cancel even if the engine was faster', async () => {
  for (const last of [
    [54, 0, 'cancelled', 'Cancelled', ''],
    [53, 0, { stages: {}, peakMemoryMb: null }],
  ]) {
    const { folder, jobs, abort, cancelled, clips, job, ended, frames } = started()
    abort.abort()
    expect(cancelled).toEqual([job])
    frames()
    jobs.take(last.with(1, job))
    expect(await ended).toMatchObject({ code: 'client_closed_request' })
    expect(clips).toEqual([])
    frames()
    expect(readdirSync(folder)).toEqual([])
  }
})

test('a listener that throws ends its own job', async () => {
  const thrower = () => {
    throw new Error('full')
  }
  const { jobs, cancelled, job, ended } = started({ progress: thrower })
  jobs.take([50, job, 0, 1, 4])
  expect(await ended).toMatchObject({ code: 'engine_failed', cause: { message: 'full' } })
  expect(cancelled).toEqual([job])
})
