// An answer goes on elsewhere: over mock engines that crash in the middle, it equals the undisturbed one.
import { expect, test } from 'bun:test'
import { mockEngine } from '../../../src/engine/mock/engine.ts'
import { migrations } from '../../../src/lib/metrics.ts'
import type { TextRequest } from '../../../src/pipeline/types.ts'
import type { FirstRouter } from '../../helpers/fakes/first-router.ts'
import { type Listener, listener } from '../../helpers/fakes/listener.ts'
import { scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'
import { never, request, served, settled } from '../../helpers/fakes/served-letters.ts'

const count = async () => (await migrations.get()).values.reduce((sum, { value }) => sum + value, 0)
const info = { ...scriptedInfo, contextLength: 2048, maxPromptTokens: 2000, vocabSize: 1000, eosIds: [0] }
const letters = Array.from({ length: 26 }, (_, i) => 97 + i)
const mock = (failure = '') =>
  mockEngine({
    modelPath: 'letters',
    vocabSize: 1000,
    contextLength: 2048,
    eosIds: [0],
    textIds: letters,
    speedupRatio: 200,
    failure,
    encode: (text: string) => Uint32Array.from(text, (character) => character.charCodeAt(0)),
  })

async function answered(
  change: Partial<TextRequest>,
  failures: string[],
  limit?: number,
): Promise<{ heard: Listener; router: FirstRouter }> {
  const engines = Object.fromEntries(failures.map((failure, i) => [`w${i}`, mock(failure)]))
  await Promise.all(Object.values(engines).map((engine) => engine.start()))
  const { pipeline, router } = served(engines, { info, ...(limit === undefined ? {} : { migrationLimit: limit }) })
  const heard = listener()
  await pipeline.run({ ...request, ...change }, heard.sink, never)
  settled(router)
  expect(Object.values(engines).reduce((sum, engine) => sum + engine.inFlight(), 0)).toBe(0)
  await Promise.all(Object.values(engines).map((engine) => engine.stop(0)))
  return { heard, router }
}

const schema = JSON.stringify({
  type: 'object',
  properties: { name: { type: 'string', minLength: 12 }, tags: { type: 'array', items: { type: 'string' }, minItems: 3 } },
  required: ['name', 'tags'],
})
const answers: [string, Partial<TextRequest>][] = [
  ['streamed', {}],
  ['whole', { stream: false }],
  ['to its natural end', { sampling: { temperature: 0 } }],
  ['with stop strings', { stops: ['q', 'zz'] }],
  ['with log-probabilities', { topLogprobs: 2 }],
  ['with the prompt echoed and scored', { topLogprobs: 1, echo: true }],
  ['three choices', { n: 3, sampling: { temperature: 1, sampling_seed: 7, max_new_tokens: 40 } }],
  ['under a JSON schema', { sampling: { temperature: 0, json_schema: schema } }],
  ['with a least length', { sampling: { temperature: 0, min_new_tokens: 30, max_new_tokens: 60, stop_token_ids: [101, 102, 103] } }],
]
for (const [what, change] of answers)
  test(`an answer ${what} is the same when its worker dies in the middle`, async () => {
    const calm = await answered(change, [''])
    for (const cut of [1, 7, 19]) {
      const { heard, router } = await answered(change, [`crash-after=${cut},restart=never`, `crash-after=${cut},restart=never`, ''])
      expect(heard.texts).toEqual(calm.heard.texts)
      expect(heard.logprobs).toEqual(calm.heard.logprobs)
      expect(heard.finishes).toEqual(calm.heard.finishes)
      expect(heard.usage).toEqual(calm.heard.usage)
      expect(heard.heard.at(-1)).toBe('end')
      expect(router.placements.length).toBeGreaterThan(calm.router.placements.length)
    }
  })

test('a single worker that comes back goes on with its own answer', async () => {
  const calm = await answered({}, [''])
  const { heard } = await answered({}, ['crash-after=9,restart=20'])
  expect(heard.texts).toEqual(calm.heard.texts)
})

test('choices are placed one by one, each sees the others, and a death moves only those who lived there', async () => {
  const before = await count()
  const change = { n: 4, sampling: { temperature: 1, sampling_seed: 3, max_new_tokens: 30 } }
  const calm = await answered(change, ['', ''])
  expect(calm.router.placements.length).toBe(4)
  const { heard, router } = await answered(change, ['crash-after=20,restart=never', ''])
  expect(router.placements.length).toBe(6)
  expect(router.placements.slice(4).every((placement) => placement.avoid?.has('w0'))).toBe(true)
  expect(heard.texts).toEqual(calm.heard.texts)
  expect(router.started).toBe(6)
  expect((await count()) - before).toBe(2)
})
