import { expect, test } from 'bun:test'
import { decisionTable } from '../../../src/cli/route/table.ts'
import type { CandidateScore, Decision } from '../../../src/router/router.ts'

const none = { device: 0, host: 0, disk: 0, predicted: 0 }
const candidate = (workerId: string, more: Partial<CandidateScore> = {}): CandidateScore => ({
  workerId,
  dpRank: 0,
  overlap: none,
  load: { prefillTokens: 0, decodeBlocks: 0, requests: 0 },
  ...more,
})
const decision: Decision = {
  mode: 'kv',
  blockSize: 16,
  promptTokens: 70,
  promptBlocks: 5,
  chosen: 'b/0',
  reason: 'the lowest cost of 2',
  candidates: [
    candidate('a', { load: { prefillTokens: 320, decodeBlocks: 12.26, requests: 3 }, cost: 17.25 }),
    candidate('b', { overlap: { ...none, device: 3, host: 1, predicted: 2 }, cost: 2 }),
    candidate('c', { excluded: 'restarting' }),
  ],
}

test('every candidate is a line, the chosen one has the arrow, the excluded one its reason', () => {
  expect(decisionTable({ model: 'm', ...decision })).toBe(
    `m: 70 prompt tokens, 5 blocks of 16

kv: goes to b/0: the lowest cost of 2
   worker/rank  cached                     prefill tokens  decode blocks  requests  cost
   a/0          0/5                        320             12.3           3         17.25
→  b/0          3/5 (1 host, 2 predicted)  0               0              0         2.00
   c/0          0/5                        0               0              0                restarting
`,
  )
})

test('prefill and decode apart are two choices, in the order that a request takes', () => {
  const text = decisionTable({ ...decision, prefill: { ...decision, chosen: 'p/1', candidates: [candidate('p', { dpRank: 1 })] } })
  expect(text.indexOf('prefill, kv: goes to p/1')).toBeGreaterThan(0)
  expect(text.indexOf('decode, kv: goes to b/0')).toBeGreaterThan(text.indexOf('prefill, kv'))
})

test('nobody to take it', () => {
  expect(decisionTable({ ...decision, chosen: null, reason: 'no worker is ready', candidates: [] })).toContain(
    'kv: goes nowhere now: no worker is ready\n  (no workers)',
  )
})
