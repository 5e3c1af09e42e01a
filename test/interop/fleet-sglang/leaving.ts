// Workers are replaced one after another under load, each told to stop by SIGTERM: no request is lost, none is another.
import { expect, test } from 'bun:test'
import { alive, descendants, serving } from '../../helpers/processes/sglang-fleet.ts'
import { everyKind } from './answers.ts'
import { disturbed, undisturbed } from './disturbed.ts'
import { type Setup, startWorker, thorough } from './setup.ts'

export function leaving(setup: () => Setup): void {
  test('a rolling update under load', async () => {
    const { fleet, frontend, a, b } = setup()
    const { url } = frontend
    await serving(url, [a.id, b.id])
    const requests = everyKind()
    const calm = await undisturbed(url, requests)
    const codes: number[] = []
    const left: number[] = []
    const seen = await disturbed(url, requests, calm, async ({ pieces }) => {
      for (const name of thorough > 0 ? Array.from({ length: thorough }, () => ['a', 'b'] as const).flat() : (['a'] as const)) {
        await pieces(400)
        const [old, other] = name === 'a' ? [setup().a, setup().b] : [setup().b, setup().a]
        left.push(...descendants(old.pid))
        codes.push(await old.stop(120_000))
        await pieces(400)
        if (thorough === 0) continue
        setup()[name] = await startWorker(fleet)
        await serving(url, [other.id, setup()[name].id])
      }
    })
    if (thorough > 0) console.log(JSON.stringify({ ...seen, failed: seen.failed.length, wrong: seen.wrong.length }))
    expect(seen.failed).toEqual([])
    expect(seen.wrong).toEqual([])
    expect(codes).toEqual(codes.map(() => 0))
    expect(left.filter(alive)).toEqual([])
  }, 1_800_000)
}
