// The state machine of a job: which event leads where, and that an end is an end.
import { describe, expect, test } from 'bun:test'
import { hasEnded, type JobEvent, type JobResult, type JobStatus, jobStep, type MediaJob } from '../../../../src/pipeline/media/jobs/job.ts'

const shown = { model: 'm', prompt: 'a cat', width: 832, height: 480, frames: 81, fps: 16, seconds: '5.063' }
const queued: MediaJob = { id: `video_${'0'.repeat(32)}`, status: 'queued', progress: 0, createdMs: 1000, ...shown, files: [] }
const ms = { queued: 1, engine: 2, encode: 3, total: 6 }
const result: JobResult = { model: 'm', width: 640, height: 480, frames: 17, fps: 8, seed: 7, workerId: 'w', ms, files: [] }
const error = { code: 'out_of_memory', message: 'Too large.', type: 'server_error', param: null }
const events = {
  waiting: { kind: 'waiting', ahead: 3 },
  started: { kind: 'started', workerId: 'w' },
  third: { kind: 'progress', fraction: 1 / 3 },
  half: { kind: 'progress', fraction: 0.5 },
  whole: { kind: 'progress', fraction: 1 },
  nonsense: { kind: 'progress', fraction: Number.NaN },
  completed: { kind: 'completed', result, keepMs: 500 },
  failed: { kind: 'failed', error, keepMs: 500 },
  cancelled: { kind: 'cancelled', keepMs: 500 },
} satisfies Record<string, JobEvent>
const after = (...names: (keyof typeof events)[]) => names.reduce((job, name, i) => jobStep(job, events[name], 2000 + i), queued)

test.each<[(keyof typeof events)[], JobStatus, number]>([
  [[], 'queued', 0],
  [['started'], 'in_progress', 0],
  [['started', 'third'], 'in_progress', 33],
  [['started', 'half', 'third'], 'in_progress', 50],
  [['third'], 'in_progress', 33],
  [['started', 'nonsense'], 'in_progress', 0],
  [['started', 'whole'], 'in_progress', 99],
  [['started', 'whole', 'completed'], 'completed', 100],
  [['completed'], 'completed', 100],
  [['failed'], 'failed', 0],
  [['started', 'half', 'failed'], 'failed', 50],
  [['cancelled'], 'cancelled', 0],
  [['started', 'half', 'cancelled'], 'cancelled', 50],
])('%p ends as %s, %i %%', (names, status, progress) => {
  expect(after(...names)).toMatchObject({ status, progress })
})

describe('an end', () => {
  test.each(['completed', 'failed', 'cancelled'] as const)('%s stays, whatever comes late', (end) => {
    const job = after('started', end)
    expect(hasEnded(job)).toBe(true)
    for (const event of Object.values(events)) expect(jobStep(job, event, 9000)).toBe(job)
  })

  test('has its times', () => expect(after('started', 'failed')).toMatchObject({ startedMs: 2000, endedMs: 2001, expiresMs: 2501, error }))
  test('tells what was really made', () =>
    expect(after('completed')).toMatchObject({ width: 640, frames: 17, fps: 8, seed: 7, workerId: 'w' }))
})

test('its place in the queue is told while it waits, and only then', () => {
  const ahead = (...names: (keyof typeof events)[]) => after(...names).ahead
  expect([ahead('waiting'), ahead('waiting', 'started'), ahead('started', 'waiting'), ahead('waiting', 'cancelled')]).toEqual([
    3,
    undefined,
    undefined,
    undefined,
  ])
})

test('started twice (the engine came back) keeps the first time', () => expect(after('started', 'third', 'started').startedMs).toBe(2000))
