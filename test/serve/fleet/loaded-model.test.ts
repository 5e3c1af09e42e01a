// What requests are checked by: the engine's own limits, or the model folder's where an attached server does not tell them.
import { expect, test } from 'bun:test'
import { loadedModel } from '../../../src/serve/fleet/loaded-model.ts'
import type { ModelFiles } from '../../../src/serve/load-model.ts'
import { letterTokenizer } from '../../helpers/fakes/letter-tokenizer.ts'
import { testPool } from '../../helpers/fakes/router-pool.ts'
import { scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'

function known(told: { vocabSize: number; eosIds: number[] }, vocabSize: number | undefined) {
  const facts = { vocabSize, eosIds: [5] } as unknown as ModelFiles['facts']
  const files = { facts, tokenizer: letterTokenizer(), vision: undefined, hearing: undefined, input: {} } as unknown as ModelFiles
  const parts = { names: ['letters'], files, router: testPool([]).pool, engineTokenizes: false, migrationLimit: 3 }
  const { info } = loadedModel({ ...parts, info: { ...scriptedInfo, ...told } } as Parameters<typeof loadedModel>[0])
  return [info.vocabSize, info.eosIds]
}

test("vocabulary and end tokens are the engine's, else the folder's config, else the tokenizer's", () => {
  expect(known({ vocabSize: 300, eosIds: [7] }, 400)).toEqual([300, [7]])
  expect(known({ vocabSize: 0, eosIds: [] }, 400)).toEqual([400, [5]])
  expect(known({ vocabSize: 0, eosIds: [] }, undefined)).toEqual([1000, [5]])
})
