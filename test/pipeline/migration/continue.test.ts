import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { Cause } from '../../../src/pipeline/failure.ts'
import { nextStep, type Standing, samplingAfter } from '../../../src/pipeline/migration/continue.ts'

const died: Cause = new AppError('engine_failed', { message: 'the engine died' })
const standing: Standing = {
  promptTokens: 10,
  produced: 5,
  endingId: undefined,
  sampling: {},
  attempts: 1,
  limit: 3,
  contextLength: 100,
  maxPromptTokens: 94,
}

const cases: [string, Cause, Partial<Standing>, object][] = [
  ['a dead engine', died, {}, { kind: 'again', where: 'anywhere' }],
  ['a dead engine before the first token', died, { produced: 0 }, { kind: 'again', where: 'anywhere' }],
  ['no engine', new AppError('engine_unavailable', { message: '' }), {}, { kind: 'again', where: 'anywhere' }],
  ['an engine that stops', new AppError('shutting_down', { message: '' }), {}, { kind: 'again', where: 'anywhere' }],
  ['an abort that nobody here asked for', { kind: 'abort', message: '' }, {}, { kind: 'again', where: 'anywhere' }],
  ['a full queue', { kind: 'abort', message: 'full', status: 503 }, { produced: 0 }, { kind: 'again', where: 'elsewhere' }],
  ['a refusal', { kind: 'abort', message: 'bad', status: 400 }, { produced: 0 }, { kind: 'failed' }],
  ['tokens that were lost on the way', new AppError('tokens_lost', { message: '' }), {}, { kind: 'failed' }],
  ['the last of the attempts', died, { attempts: 4 }, { kind: 'failed', why: 'it was tried 4 times' }],
  ['migration off', died, { limit: 0 }, { kind: 'failed', why: 'migration is off' }],
  ['all tokens are there', died, { sampling: { max_new_tokens: 5 } }, { kind: 'over', finish: { kind: 'length' } }],
  [
    'all tokens are there, migration off',
    died,
    { sampling: { max_new_tokens: 5 }, limit: 0 },
    { kind: 'over', finish: { kind: 'length' } },
  ],
  ['the ending token is there', died, { endingId: 2 }, { kind: 'over', finish: { kind: 'stop', matched: 2 } }],
  ['an ending token that is ignored', died, { endingId: 2, sampling: { ignore_eos: true } }, { kind: 'again', where: 'anywhere' }],
  ['a full context', died, { promptTokens: 95 }, { kind: 'over', finish: { kind: 'length' } }],
  ['too long to be a prompt', died, { promptTokens: 90 }, { kind: 'over', finish: { kind: 'length' } }],
  ['just short enough to be a prompt', died, { promptTokens: 89 }, { kind: 'again', where: 'anywhere' }],
  ['a prompt that the engine tokenized', died, { promptTokens: 0 }, { kind: 'failed' }],
  ['the same before its first token', died, { promptTokens: 0, produced: 0 }, { kind: 'again', where: 'anywhere' }],
  ['stop_regex', died, { sampling: { stop_regex: ['a'] } }, { kind: 'failed' }],
]
for (const [what, cause, change, expected] of cases)
  test(what, () => {
    expect(nextStep(cause, { ...standing, ...change })).toMatchObject(expected)
  })

test('lengths are what is left of them', () => {
  const sampling = { max_new_tokens: 20, min_new_tokens: 8, temperature: 0 }
  expect(samplingAfter(sampling, 0)).toBe(sampling)
  expect(samplingAfter(sampling, 6)).toEqual({ max_new_tokens: 14, min_new_tokens: 2, temperature: 0 })
  expect(samplingAfter(sampling, 9)).toEqual({ max_new_tokens: 11, min_new_tokens: 0, temperature: 0 })
})
