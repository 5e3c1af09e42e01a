// One model of letters behind a pipeline, over engines that a test brings along.
import { expect } from 'bun:test'
import type { Engine } from '../../../src/engine/engine.ts'
import { type LoadedModel, modelRegistry } from '../../../src/pipeline/model.ts'
import { createPipeline } from '../../../src/pipeline/pipeline.ts'
import type { TextRequest } from '../../../src/pipeline/types.ts'
import { type FirstRouter, firstRouter } from './first-router.ts'
import { letterTokenizer } from './letter-tokenizer.ts'
import { scriptedInfo } from './scripted-engine.ts'

export const never = new AbortController().signal
export const request: TextRequest = {
  requestId: 'r',
  model: 'letters',
  receivedAt: 0,
  prompt: { kind: 'text', text: 'ab', addSpecial: false },
  sampling: { temperature: 0, max_new_tokens: 40 },
  stops: [],
  includeStop: false,
  n: 1,
  stream: true,
  echo: false,
  skipSpecial: true,
}

/** A pipeline over these engines, which the router takes in this order. */
export function served(engines: Record<string, Engine>, change: Partial<LoadedModel> = {}) {
  const router = firstRouter(engines)
  const models = modelRegistry()
  models.add({
    served: { id: 'letters', aliases: [], createdSecs: 0, contextLength: 100, isEmbedding: false },
    tokenizer: letterTokenizer(),
    template: undefined,
    samplingDefaults: {},
    engineTokenizes: false,
    migrationWaitMs: 60,
    router,
    info: scriptedInfo,
    ...change,
  })
  return { pipeline: createPipeline(models), router }
}

/** Everything that was booked is given back, once (the router itself throws at a second time). */
export function settled(router: FirstRouter): void {
  expect(router.booked().requests).toBe(0)
  expect(router.outcomes.length).toBe(router.placements.length)
}
