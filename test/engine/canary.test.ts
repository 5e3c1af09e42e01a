// The smallest request there is: a token that every model has.
import { expect, test } from 'bun:test'
import { canaryRequest } from '../../src/engine/canary.ts'
import { scriptedInfo } from '../helpers/fakes/scripted-engine.ts'

test('the token is one of the model, also where its vocabulary is not told (0: an attached server of a model that is not on this machine)', () => {
  const asked = (vocabSize: number) => [...canaryRequest({ ...scriptedInfo, vocabSize }, 0, 'c').promptIds]
  expect([0, 1, 2, 1000].map(asked)).toEqual([[1], [0], [1], [1]])
})
