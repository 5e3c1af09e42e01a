import { describe, expect, test } from 'bun:test'
import { type CostTerms, costNames, findCost } from '../../src/router/cost.ts'
import { defaultRouterOptions } from '../../src/router/options.ts'

const free: CostTerms = {
  blockSize: 16,
  promptTokens: 1600,
  promptBlocks: 100,
  device: 0,
  host: 0,
  disk: 0,
  prefillTokens: 0,
  leastPrefillTokens: 0,
  blocks: 0,
  blocksAfter: 100,
  requests: 0,
  foreign: 0,
  usedBlocks: 0,
  cachedBlocks: 0,
  totalBlocks: 1000,
  waiting: 0,
  decodeOnly: false,
}
const costs = (name: string, ...changes: Partial<CostTerms>[]) =>
  changes.map((change) => findCost(name)({ ...free, ...change }, defaultRouterOptions))

test.each(costNames)('%s: work that waits costs, blocks that are there spare it, in this order of tiers', (name) => {
  const [none, waiting, device, host, disk] = costs(name, {}, { prefillTokens: 800 }, { device: 50 }, { host: 50 }, { disk: 50 })
  expect(waiting).toBe(none! + 50)
  expect([device!, host!, disk!, none!]).toEqual([device!, host!, disk!, none!].toSorted((a, b) => a - b))
  expect(device!).toBeLessThan(host!)
})

describe('reuse', () => {
  test('a full cache makes new blocks dear, an empty one does not', () => {
    const [empty, filling, full] = costs('reuse', { cachedBlocks: 800 }, { cachedBlocks: 875 }, { cachedBlocks: 1000 })
    expect([empty, filling, full]).toEqual([110, 260, 410])
  })

  test('a prefix that lies in a full cache is worth a longer queue than its own work', () => {
    const [here, there] = costs('reuse', { cachedBlocks: 1000, device: 100, prefillTokens: 4000 }, { cachedBlocks: 1000 })
    expect(here!).toBeLessThan(there!)
  })

  test('while caches have room, load comes first: one hot prefix does not bind all requests to one worker', () => {
    const [here, there] = costs('reuse', { device: 100, prefillTokens: 4000, blocks: 900, blocksAfter: 900 }, {})
    expect(here!).toBeGreaterThan(there!)
  })

  test('on the decode side blocks count, the prompt does not', () => {
    const [light, heavy] = costs('reuse', { decodeOnly: true, blocksAfter: 100 }, { decodeOnly: true, blocksAfter: 200 })
    expect(heavy! - light!).toBe(100)
  })
})

test('an unknown name is refused with the list', () => {
  expect(() => findCost('free')).toThrow(/known: reuse, dynamo/)
})
