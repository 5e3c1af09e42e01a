import { expect, test } from 'bun:test'
import { newTally } from '../../../src/cli/bench/load.ts'
import { progressLine, startProgress } from '../../../src/cli/bench/progress.ts'

test('the line says how far it is and how fast', () => {
  const tally = { ...newTally(), startedAt: 1000, sent: 60, done: 50, failed: 2, outputTokens: 4800 }
  expect(progressLine(tally, 0.5, 3000)).toBe('████████████░░░░░░░░░░░░ 50 done, 10 running, 2 failed, 24.0 requests/s, 2400 tokens/s')
})

test('nothing is written when stderr is no terminal', () => {
  const written: string[] = []
  const out = { isTTY: false, write: (text: string) => written.push(text) } as never
  startProgress(newTally(), () => 0, out).stop()
  expect(written).toEqual([])
})
