// The data-parallel ranks of a mock engine: each with a queue and KV of its own.

import type { MockConfig } from '../options.ts'
import { KvCache } from './kv.ts'
import { makeRank, type Rank } from './step.ts'

export function makeRanks({ dpSize, totalKvTokens, blockSize, timing, maxRunningRequests }: MockConfig): Rank[] {
  return Array.from({ length: dpSize }, (_, i) =>
    makeRank(i, new KvCache(totalKvTokens / blockSize, blockSize), timing, maxRunningRequests),
  )
}
