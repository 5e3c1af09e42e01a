// What a mock engine tells: KV changes that rebuild its cache, and loads.
import { describe, expect, test } from 'bun:test'
import type { EngineEvent, KvChange } from '../../../src/engine/types.ts'
import { localHashes } from '../../../src/lib/block-hash.ts'
import { blockNames as names } from '../../helpers/block-names.ts'
import { answer, request, started } from './world.ts'

const prompt = Array.from({ length: 40 }, (_, i) => i)

describe('events', () => {
  test('KV events rebuild what the cache has; a flush clears it', async () => {
    const engine = await started({ totalKvTokens: 512, dpSize: 2 })
    const cached = [new Set<string>(), new Set<string>()]
    const seqs: number[][] = [[], []]
    engine.on((event) => {
      if (event.kind !== 'kv') return
      seqs[event.rank]!.push(event.seq)
      for (const change of event.changes) apply(cached[event.rank]!, change)
    })
    for (let i = 0; i < 20; i++)
      await answer(
        engine,
        request(
          prompt.map((id) => id + i),
          { max_new_tokens: 40 },
          { dpRank: i % 2 },
        ),
      )
    const last = await answer(
      engine,
      request(
        prompt.map((id) => id + 19),
        { max_new_tokens: 1 },
        { dpRank: 1 },
      ),
    )
    expect(last.usage!.cachedTokens).toBe(32)
    for (const rank of [0, 1]) {
      expect(cached[rank]!.size).toBeWithin(1, 33)
      expect(seqs[rank]!).toEqual(seqs[rank]!.map((_, i) => i))
    }
    await engine.control('flush_cache', {})
    expect(cached.map((set) => set.size)).toEqual([0, 0])
  })

  test('stored blocks carry their tokens and follow on their parent', async () => {
    const engine = await started()
    const changes: KvChange[] = []
    engine.on((event) => event.kind === 'kv' && changes.push(...event.changes))
    await answer(engine, request(prompt, { max_new_tokens: 1 }))
    await answer(engine, request([...prompt.slice(0, 32), ...prompt.slice(0, 32)], { max_new_tokens: 1 }))
    const [first, second] = changes
    expect(first).toMatchObject({
      kind: 'stored',
      parent: null,
      local: localHashes(Uint32Array.from(prompt.slice(0, 32)), 16),
      tier: 'device',
    })
    expect(second).toMatchObject({
      kind: 'stored',
      parent: first!.kind === 'stored' ? first!.blocks.slice(2) : null,
      local: localHashes(Uint32Array.from(prompt.slice(0, 32)), 16),
    })
  })

  test('another salt shares nothing', async () => {
    const engine = await started()
    await answer(engine, request(prompt, { max_new_tokens: 1 }, { cacheSalt: 'a' }))
    expect((await answer(engine, request(prompt, { max_new_tokens: 1 }, { cacheSalt: 'b' }))).usage!.cachedTokens).toBe(0)
    expect((await answer(engine, request(prompt, { max_new_tokens: 1 }, { cacheSalt: 'a' }))).usage!.cachedTokens).toBe(32)
  })

  test('what an extra key keeps apart is not told: by content it would be taken for the same', async () => {
    const engine = await started()
    const changes: KvChange[] = []
    engine.on((event) => event.kind === 'kv' && changes.push(...event.changes))
    await answer(engine, request(prompt, { max_new_tokens: 1 }, { extraKey: 'k' }))
    expect(changes).toEqual([])
    const again = await answer(engine, request(prompt, { max_new_tokens: 1 }, { extraKey: 'k' }))
    expect(again.usage!.cachedTokens).toBe(32)
  })

  test('blocks of an adapter and a salt have their hashes', async () => {
    const engine = await started()
    const changes: KvChange[] = []
    engine.on((event) => event.kind === 'kv' && changes.push(...event.changes))
    const namespace = { lora: 'a', cacheSalt: 's' }
    await answer(engine, request(prompt, { max_new_tokens: 1 }, namespace))
    expect(changes).toMatchObject([{ local: localHashes(Uint32Array.from(prompt.slice(0, 32)), 16, namespace) }])
  })

  test('load is told soon, not for every step, and its last word is true', async () => {
    const engine = await started()
    const loads: Extract<EngineEvent, { kind: 'load' }>[] = []
    engine.on((event) => event.kind === 'load' && loads.push(event))
    await Promise.all(Array.from({ length: 50 }, () => answer(engine, request(prompt, { max_new_tokens: 500 }))))
    expect(loads[0]).toMatchObject({ kind: 'load', rank: 0, totalTokens: 1_048_576 })
    expect(loads.length).toBeLessThan(100)
    await engine.stop(0)
    expect(loads.at(-1)).toMatchObject({ running: 0, waiting: 0, usedTokens: 0 })
  })
})

function apply(cached: Set<string>, change: KvChange): void {
  if (change.kind === 'cleared') cached.clear()
  else if (change.kind === 'stored') for (const name of names(change.blocks)) cached.add(name)
  else for (const name of names(change.blocks)) cached.delete(name)
}
