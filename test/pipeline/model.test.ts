// A name that nobody serves: the answer names those that are.
import { expect, test } from 'bun:test'
import { type LoadedModel, modelRegistry } from '../../src/pipeline/model.ts'

test('the last part of a path is no name; the answer has the names', () => {
  const models = modelRegistry()
  models.add({ served: { id: 'models/tiny-vl', aliases: [] } } as unknown as LoadedModel)
  expect(() => models.find('tiny-vl')).toThrow("The model 'tiny-vl' is not served here. Served: models/tiny-vl.")
})
