import { describe, expect, test } from 'bun:test'
import { KvCache } from '../../../../src/engine/mock/rank/kv.ts'
import type { Sequence } from '../../../../src/engine/mock/rank/sequence.ts'
import { begin, complete, enqueue, makeFrame, makeRank, type Rank, remove } from '../../../../src/engine/mock/rank/step.ts'
import { defaultTiming } from '../../../../src/engine/mock/rank/timing.ts'
import { blockNames as names } from '../../../helpers/block-names.ts'
import { config, request, sequence } from '../world.ts'

const settings = config()

function rankOf(blocks = 64, maxRunning = 8): Rank {
  return makeRank(0, new KvCache(blocks, 16), defaultTiming, maxRunning)
}

const prompt = (length: number, first = 0) => Array.from({ length }, (_, i) => (first + i) % 1000)
const ask = (rank: Rank, length: number, tokens: number, first = 0, priority?: number): Sequence => {
  const made = sequence(request(prompt(length, first), { max_new_tokens: tokens }, priority === undefined ? {} : { priority }), settings)
  enqueue(rank, made)
  return made
}

/** Runs steps until the rank is idle; one entry a step. */
function play(rank: Rank, most = 10_000): { kind: string; ms: number; rows: number }[] {
  const frame = makeFrame(rank.maxRunning)
  const steps: { kind: string; ms: number; rows: number }[] = []
  for (let ms = begin(rank); ms > 0; ms = begin(rank)) {
    const kind = rank.step
    complete(rank, frame)
    steps.push({ kind, ms, rows: frame.count })
    if (steps.length > most) throw new Error('the rank does not come to rest')
  }
  return steps
}

const prefill = (tokens: number) => 16.5 + 0.01518 * tokens + 4.2e-7 * tokens ** 2

describe('the length of a step', () => {
  test.each([
    ['a short prompt', [16], 1024, 16.743],
    ['a long prompt', [1000], 1024, 32.1],
    ['two prompts in one step', [100, 200], 1024, prefill(300)],
    ['a prompt of several chunks', [20_000], 2048, 2 * prefill(8192) + prefill(20_000 - 2 * 8192)],
  ])('prefill of %s', (_, lengths, blocks, ms) => {
    const rank = rankOf(blocks)
    for (const [i, length] of lengths.entries()) ask(rank, length, 1, i * 300)
    expect(begin(rank)).toBeCloseTo(ms)
  })

  test.each([
    [1, 1],
    [8, 1],
    [8, 32],
  ])('decode of %d rows of %d blocks', (rows, blocks) => {
    const rank = rankOf(512)
    for (let i = 0; i < rows; i++) ask(rank, 16 * blocks, 2, i * 600)
    const part = (rows * (16 * blocks + 1)) / (512 * 16)
    expect(play(rank)).toEqual([
      { kind: 'prefill', ms: expect.closeTo(prefill(16 * blocks * rows)), rows },
      { kind: 'decode', ms: expect.closeTo(5.74 + 54 * part - 25.7 * part ** 2), rows },
    ])
  })

  test('only the uncached part of a prompt costs prefill', () => {
    const rank = rankOf()
    ask(rank, 160, 1)
    play(rank)
    const again = ask(rank, 160, 1)
    // The last token is computed in any case, so the block that it is in as well.
    expect(begin(rank)).toBeCloseTo(prefill(16))
    expect(again.cachedTokens).toBe(144)
  })

  test('an idle rank has no step', () => {
    expect(begin(rankOf())).toBe(0)
  })
})

describe('who runs', () => {
  test('a newcomer is prefilled before the others decode on', () => {
    const rank = rankOf()
    const frame = makeFrame(8)
    ask(rank, 16, 3)
    begin(rank)
    complete(rank, frame)
    ask(rank, 16, 1, 50)
    begin(rank)
    expect(rank.step).toBe('prefill')
  })

  test('no more than maxRunning at a time', () => {
    const rank = rankOf(64, 2)
    for (let i = 0; i < 5; i++) ask(rank, 16, 2, i * 20)
    expect(Math.max(...play(rank).map((step) => step.rows))).toBe(2)
  })

  test('a higher priority goes first, equals in order', () => {
    const rank = rankOf()
    const [low, mid, midToo, high] = [ask(rank, 16, 1, 0, -1), ask(rank, 16, 1), ask(rank, 16, 1), ask(rank, 16, 1, 0, 5)]
    expect(rank.waiting).toEqual([high, mid, midToo, low] as Sequence[])
  })

  test('a prompt that does not fit waits until there is room', () => {
    const rank = rankOf(10)
    ask(rank, 100, 20)
    const second = ask(rank, 100, 5, 500)
    begin(rank)
    expect(rank.waiting).toEqual([second])
    play(rank)
    complete(rank, makeFrame(8))
    expect(second.finish).toEqual({ kind: 'length' })
  })

  test('when running rows need more KV than there is, the youngest goes back and ends with the same ids', () => {
    const tight = rankOf(12)
    const wide = rankOf(64)
    const ids = (rank: Rank) => {
      const all = [ask(rank, 40, 80), ask(rank, 40, 80, 200)]
      play(rank)
      return all.map((row) => [...row.out.subarray(0, row.produced)])
    }
    expect(ids(tight)).toEqual(ids(wide))
    expect(tight.retractions).toBeGreaterThan(0)
    expect(wide.retractions).toBe(0)
    expect(tight.kv.held()).toBe(0)
  })
})

test('a finished answer is in the cache for the next turn of the conversation', () => {
  const rank = rankOf()
  const first = ask(rank, 30, 40)
  play(rank)
  const next = sequence(request([...prompt(30), ...first.out.subarray(0, 40), 1, 2, 3]), settings)
  enqueue(rank, next)
  begin(rank)
  // 30 + 40 tokens less the last, which was never fed back: four full blocks.
  expect(next.cachedTokens).toBe(64)
})

test('an embedding, or a request for no tokens, ends with the prefill', () => {
  const rank = rankOf()
  const frame = makeFrame(8)
  const row = ask(rank, 16, 0)
  begin(rank)
  complete(rank, frame)
  expect([frame.count, frame.ids[0], row.finish, row.produced]).toEqual([1, -1, { kind: 'length' }, 0])
})

describe('random loads', () => {
  test.each(Array.from({ length: 30 }, (_, seed) => seed))('seed %d: KV within bounds, everything given back', (seed) => {
    let state = seed * 2654435761 + 1
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0
      return (state >>> 8) % below
    }
    const rank = rankOf(8 + random(40), 1 + random(6))
    rank.kv.recording = true
    const capacity = rank.kv.capacity * 16
    const frame = makeFrame(rank.maxRunning)
    const open = new Set<Sequence>()
    const cached = new Set<string>()
    let produced = 0
    let wanted = 0
    for (let i = 0; i < 400 || open.size > 0; i++) {
      if (i < 400 && random(3) === 0) {
        const length = 1 + random(capacity / 2)
        const tokens = 1 + random(capacity - length)
        open.add(ask(rank, length, tokens, random(4) * 100))
      }
      if (random(9) === 0 && open.size > 0) {
        const victim = [...open][random(open.size)]!
        expect(remove(rank, victim)).toBe(true)
        open.delete(victim)
        produced += victim.produced
        wanted += victim.produced
      }
      begin(rank)
      if (random(9) === 0 && open.size > 0) {
        const victim = [...open][random(open.size)]!
        expect(remove(rank, victim)).toBe(true)
        open.delete(victim)
        produced += victim.produced
        wanted += victim.produced
      }
      complete(rank, frame)
      for (const row of frame.rows.slice(0, frame.count)) {
        if (row.finish === undefined) continue
        expect(open.delete(row)).toBe(true)
        produced += row.produced
        wanted += row.plan.limit
      }
      const holding = [...rank.running, ...rank.prefilling]
      expect(rank.kv.available()).toBeGreaterThanOrEqual(0)
      expect(rank.kv.held()).toBe(new Set(holding.flatMap((row) => row.blocks)).size)
      expect(open.size).toBe(holding.length + rank.waiting.length)
      for (const change of rank.kv.takeChanges() ?? []) {
        if (change.kind === 'stored') {
          // A stored block follows on one that is there, so an index of the events is never wrong.
          if (change.parent !== null) expect(cached.has(names(change.parent)[0]!)).toBe(true)
          for (const name of names(change.blocks)) cached.add(name)
        } else if (change.kind === 'removed') for (const name of names(change.blocks)) expect(cached.delete(name)).toBe(true)
      }
      expect(cached.size).toBe(rank.kv.cached())
    }
    expect(produced).toBe(wanted)
    expect(rank.kv.held()).toBe(0)
    expect(rank.running.length + rank.waiting.length + rank.prefilling.length).toBe(0)
  })
})
