// Prompts go where their blocks are, by live events of the engines alone; `cached_tokens` is the engines' own word for it.
import { expect, test } from 'bun:test'
import { blockSize, heldBlocks, operate, serving, workersOf } from '../../helpers/processes/sglang-fleet.ts'
import { until } from '../../helpers/run-request.ts'
import { ask, plain } from './answers.ts'
import { frontendArgs, type Setup } from './setup.ts'

const sentence = (i: number) => `Prompt number ${i}: the router sends it to the worker that holds the longest part of it. `.repeat(6)
const short = { max_tokens: 2 }
const question = (prompt: string, more: Record<string, unknown> = {}) => {
  const { path, body } = plain(0, { ...short, ...more })
  return { name: prompt.slice(0, 20), path, body: { ...body, prompt } }
}

export function routing(setup: () => Setup): void {
  const url = () => setup().frontend.url
  /** Where the router believes most of the prompt to be, and how many blocks of it. */
  async function holder(prompt: string): Promise<{ id: string; blocks: number }> {
    const [place, blocks] = Object.entries(await heldBlocks(url(), prompt)).sort((x, y) => y[1] - x[1])[0]!
    return { id: place.slice(0, place.lastIndexOf('/')), blocks }
  }
  const told = (prompt: string, id: string) =>
    until('its blocks are told', async () => {
      const found = await holder(prompt)
      return found.id === id && found.blocks > 5
    })

  test('repeated prompts go to their holder, and it finds them in its cache', async () => {
    const prompts = Array.from({ length: 6 }, (_, i) => sentence(i))
    const first = await Promise.all(prompts.map((prompt) => ask(url(), question(prompt))))
    expect(new Set(first.map(({ worker }) => worker)).size).toBe(2)
    expect(first.map(({ cachedTokens }) => cachedTokens).every((cached) => cached < 2 * blockSize)).toBe(true)
    for (const [i, { worker }] of first.entries()) await told(prompts[i]!, worker)
    for (const [i, prompt] of prompts.entries()) {
      const again = await ask(url(), question(`${prompt} And then?`))
      expect(again.worker).toBe(first[i]!.worker)
      expect(again.overlap).toBeGreaterThan(5 * blockSize)
      expect(again.cachedTokens).toBe(again.overlap)
    }
  }, 120_000)

  test('a gap in the events is repaired: what was stored and what was dropped meanwhile', async () => {
    const { a, b, wire } = setup()
    const headers = (id: string) => ({ nvext: { backend_instance_id: id } })
    const [kept, lost] = [sentence(10), sentence(11)]
    await ask(url(), question(kept, headers(a.id)))
    await told(kept, a.id)
    const before = wire.made()
    wire.cut()
    expect(await (await operate(url(), 'flush_cache', { worker_id: a.id })).json()).toMatchObject({ status: 'ok' })
    await ask(url(), question(lost, headers(a.id)))
    // Nobody told the frontend: it believes what was true before.
    expect((await holder(kept)).id).toBe(a.id)
    expect((await heldBlocks(url(), lost))[`${a.id}/0`]).toBeLessThan(5)
    wire.mend()
    await told(lost, a.id)
    expect(wire.made()).toBeGreaterThan(before)
    expect((await heldBlocks(url(), kept))[`${a.id}/0`]).toBeLessThan(5)
    const again = await ask(url(), question(`${lost} And then?`))
    expect(again).toMatchObject({ worker: a.id, cachedTokens: again.overlap })
    expect(again.overlap).toBeGreaterThan(5 * blockSize)
    expect((await workersOf(url())).map((one) => one.worker_id).sort()).toEqual([a.id, b.id].sort())
  }, 60_000)

  test('a frontend that was killed knows again what the workers hold', async () => {
    const { fleet, a, b } = setup()
    const prompts = [sentence(20), sentence(21)]
    for (const [i, { id }] of [a, b].entries()) {
      await ask(url(), question(prompts[i]!, { nvext: { backend_instance_id: id } }))
      await told(prompts[i]!, id)
    }
    await setup().frontend.kill()
    setup().frontend = await fleet.frontend(frontendArgs)
    await serving(url(), [a.id, b.id])
    for (const [i, { id }] of [a, b].entries()) {
      await told(prompts[i]!, id)
      const again = await ask(url(), question(`${prompts[i]} And then?`))
      expect(again).toMatchObject({ worker: id, cachedTokens: again.overlap })
      expect(again.overlap).toBeGreaterThan(5 * blockSize)
    }
  }, 60_000)
}
