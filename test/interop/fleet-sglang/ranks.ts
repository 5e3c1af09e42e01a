// A real engine with two data-parallel ranks as worker B: each rank has a cache of its own, and prompts go to the rank that holds them.
import { expect, test } from 'bun:test'
import { blockSize, heldBlocks, serving } from '../../helpers/processes/sglang-fleet.ts'
import { until } from '../../helpers/run-request.ts'
import { ask, plain } from './answers.ts'
import type { Setup } from './setup.ts'

export function ranks(setup: () => Setup): void {
  const url = () => setup().frontend.url
  const on = (id: string, prompt: string) => {
    const { path, body } = plain(0, { max_tokens: 2, prompt, nvext: { backend_instance_id: id } })
    return { name: prompt, path, body }
  }

  test('both ranks are used, and each is found again by what it holds', async () => {
    const { a, b } = setup()
    // On two cores that three schedulers keep busy, a worker may have been silent for the 1.5 s after which it counts as gone for a moment.
    await serving(url(), [a.id, b.id])
    const prompts = Array.from({ length: 8 }, (_, i) =>
      `Rank question ${i}: which of the two ranks holds the longest part of this prompt? `.repeat(6),
    )
    const first = await Promise.all(prompts.map((prompt) => ask(url(), on(b.id, prompt))))
    expect(first.map(({ worker }) => worker)).toEqual(prompts.map(() => b.id))
    expect(first.map(({ dpRank }) => dpRank).sort()).toContain('0')
    expect(first.map(({ dpRank }) => dpRank)).toContain('1')
    for (const [i, prompt] of prompts.entries()) {
      const place = `${b.id}/${first[i]!.dpRank}`
      await until('its blocks are told', async () => (await heldBlocks(url(), prompt))[place]! > 5)
    }
    for (const [i, prompt] of prompts.entries()) {
      // Not bound to the worker: the blocks alone say where.
      const again = await ask(url(), plain(0, { max_tokens: 2, prompt: `${prompt} And then?` }))
      expect(again).toMatchObject({ worker: b.id, dpRank: first[i]!.dpRank, cachedTokens: again.overlap })
      expect(again.overlap).toBeGreaterThan(5 * blockSize)
    }
  }, 120_000)
}
