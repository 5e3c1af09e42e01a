// Jobs on disk: what a folder may hold besides, and whose jobs are whose.
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MediaJob } from '../../../../src/pipeline/media/jobs/job.ts'
import { JobFolder } from '../../../../src/pipeline/media/jobs/job-folder.ts'
import { alive, thisOwner } from '../../../../src/pipeline/media/jobs/owner.ts'

const root = mkdtempSync(join(tmpdir(), 'dyn-job-folder-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0
const folder = () => join(root, String(made++), 'jobs')
const id = `video_${'a'.repeat(32)}`
const job: MediaJob = {
  ...{
    id,
    status: 'queued',
    progress: 0,
    createdMs: 1,
    model: 'm',
    prompt: 'Ü',
    width: 16,
    height: 16,
    frames: 1,
    fps: 1,
    seconds: '1',
    files: [],
  },
}
const silent = () => {}

test('what was written is read again', async () => {
  const path = folder()
  const jobs = new JobFolder(path)
  await jobs.write(job)
  await jobs.write({ ...job, status: 'failed', progress: 5 })
  expect(new JobFolder(path).load(silent)).toEqual([{ job: { ...job, status: 'failed', progress: 5 }, foreign: false }])
  expect(readdirSync(path)).toEqual([`${id}.json`])
})

test('only this user may read prompts', async () => {
  const path = folder()
  await new JobFolder(path).write(job)
  expect([statSync(path).mode & 0o777, statSync(join(path, `${id}.json`)).mode & 0o777]).toEqual([0o700, 0o600])
})

test('writes happen in the order in which they were asked for', async () => {
  const path = folder()
  const jobs = new JobFolder(path)
  await Promise.all([...Array.from({ length: 20 }, (_, progress) => jobs.write({ ...job, progress })), jobs.remove(id)])
  expect(new JobFolder(path).load(silent)).toEqual([])
  await Promise.all(Array.from({ length: 20 }, (_, progress) => jobs.write({ ...job, progress })))
  expect(new JobFolder(path).load(silent)[0]?.job.progress).toBe(19)
})

test('what is no job is told and left alone', async () => {
  const path = folder()
  await new JobFolder(path).write(job)
  const other = `video_${'b'.repeat(32)}.json`
  const texts: Record<string, string> = {
    [other]: '{"v":1,"job":{',
    [`video_${'c'.repeat(32)}.json`]: JSON.stringify({ v: 1, owner: thisOwner(), job }),
    [`video_${'d'.repeat(32)}.json`]: 'null',
    'notes.txt': 'mine',
  }
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(path, name), text)
  const notices: string[] = []
  expect(new JobFolder(path).load((message) => notices.push(message)).map((one) => one.job.id)).toEqual([id])
  expect(notices).toHaveLength(3)
  expect(notices.some((notice) => notice.includes(other))).toBe(true)
  expect(readdirSync(path)).toHaveLength(5)
})

test('halves of dead writers go, those of living ones stay', () => {
  const path = folder()
  const jobs = new JobFolder(path)
  const dead = Bun.spawnSync(['true']).pid
  for (const pid of [dead, process.pid]) writeFileSync(join(path, `${id}.${pid}.tmp`), 'half')
  jobs.load(silent)
  expect(readdirSync(path)).toEqual([`${id}.${process.pid}.tmp`])
})

test('a folder that cannot be made, and one that is gone', async () => {
  writeFileSync(join(root, 'file'), '')
  expect(() => new JobFolder(join(root, 'file', 'jobs'))).toThrow(expect.objectContaining({ code: 'storage_failed' }))
  const path = folder()
  const jobs = new JobFolder(path)
  rmSync(path, { recursive: true })
  await expect(jobs.write(job)).rejects.toMatchObject({ code: 'storage_failed', message: expect.not.stringContaining(path) })
  await jobs.remove(id)
})

test('a full disk leaves what was there', async () => {
  const path = folder()
  const jobs = new JobFolder(path)
  await jobs.write(job)
  symlinkSync('/dev/full', join(path, `${id}.${process.pid}.tmp`))
  await expect(jobs.write({ ...job, progress: 50 })).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringContaining('ENOSPC'),
  })
  expect(new JobFolder(path).load(silent)).toEqual([{ job, foreign: false }])
  await jobs.write({ ...job, progress: 60 })
  expect(new JobFolder(path).load(silent)[0]?.job.progress).toBe(60)
})

describe('owners', () => {
  test('this process lives', () => expect(alive(thisOwner())).toBe(true))
  test('a process that ended does not', () => expect(alive({ pid: Bun.spawnSync(['true']).pid, born: '1' })).toBe(false))
  test('nor does one whose number another has now', () => expect(alive({ ...thisOwner(), born: '12345' })).toBe(false))
})
