// The list of jobs in pages, and which ended jobs have to go.
import { describe, expect, test } from 'bun:test'
import type { JobStatus, MediaJob } from '../../../../src/pipeline/media/jobs/job.ts'
import { pageOf } from '../../../../src/pipeline/media/jobs/page.ts'
import { overdue } from '../../../../src/pipeline/media/jobs/retention.ts'

const shown = { model: 'm', prompt: 'p', width: 16, height: 16, frames: 1, fps: 1, seconds: '1', files: [] }
const job = (id: string, createdMs: number, status: JobStatus = 'completed', expiresMs?: number): MediaJob => ({
  ...{ id, createdMs, status, progress: 0, ...shown },
  ...(expiresMs === undefined ? {} : { expiresMs }),
})
const ids = (jobs: readonly MediaJob[]) => jobs.map(({ id }) => id).join('')
const five = [job('c', 3), job('a', 1), job('e', 5), job('b', 2), job('d', 4)]

describe('pageOf', () => {
  test.each<[string | undefined, number, 'asc' | 'desc', string, boolean]>([
    [undefined, 20, 'desc', 'edcba', false],
    [undefined, 20, 'asc', 'abcde', false],
    [undefined, 2, 'desc', 'ed', true],
    ['d', 2, 'desc', 'cb', true],
    ['b', 2, 'desc', 'a', false],
    ['a', 2, 'desc', '', false],
    ['b', 3, 'asc', 'cde', false],
  ])('after %p, limit %i, %s: %s', (after, limit, order, expected, more) => {
    const page = pageOf(five, { limit, order, ...(after === undefined ? {} : { after }) })
    expect([ids(page.jobs), page.more]).toEqual([expected, more])
  })

  test('an unknown cursor is an error, not the first page again', () =>
    expect(() => pageOf(five, { after: 'gone', limit: 2, order: 'asc' })).toThrow(
      expect.objectContaining({ code: 'invalid_value', param: 'after' }),
    ))
})

describe('overdue', () => {
  test('by age', () => expect(overdue([job('a', 1, 'failed', 10), job('b', 2, 'completed', 11)], 9, 10)).toEqual(['a']))
  test('by number, the oldest first', () => expect(overdue(five, 2, 0)).toEqual(['a', 'b', 'c']))
  test('both', () => expect(overdue([...five, job('f', 6, 'cancelled', 5)], 4, 5)).toEqual(['f', 'a']))
  test('never what waits or runs', () => expect(overdue([job('a', 1, 'queued', 5), job('b', 2, 'in_progress', 5)], 0, 9)).toEqual([]))
})
