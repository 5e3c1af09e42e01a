// `serve --workers 2` with a real SGLang in each copy: routing by their events, one of them dies and comes back.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { need } from '../helpers/need.ts'
import {
  alive,
  blockSize,
  canRunReal,
  heldBlocks,
  realArgs,
  realEnv,
  schedulersOf,
  serving,
  workersOf,
} from '../helpers/processes/sglang-fleet.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { until } from '../helpers/run-request.ts'
import { ask, everyKind, plain, sameOf } from './fleet-sglang/answers.ts'
import { disturbed, undisturbed } from './fleet-sglang/disturbed.ts'

const ids = ['sglang-0', 'sglang-1']

describe.skipIf(!need('SGLang (bun run sglang:setup)', canRunReal))('serve --workers 2', () => {
  let server: Started
  beforeAll(async () => {
    server = await start({ args: realArgs('--workers', '2', '--router-predicted-ttl-secs', '0'), env: realEnv(), readySecs: 240 })
  }, 300_000)
  afterAll(async () => {
    const left = server === undefined ? [] : schedulersOf(server.pid)
    expect(await server?.stop(30_000)).toBe(0)
    expect(left.filter(alive)).toEqual([])
  }, 60_000)
  const url = () => server.url

  test('prompts go to the copy that holds them', async () => {
    const prompts = Array.from({ length: 6 }, (_, i) =>
      `Copy question ${i}: which engine of this machine holds the longest part of it? `.repeat(6),
    )
    const first = await Promise.all(prompts.map((prompt) => ask(url(), plain(0, { max_tokens: 2, prompt }))))
    expect(new Set(first.map(({ worker }) => worker))).toEqual(new Set(ids))
    for (const [i, prompt] of prompts.entries()) {
      const { worker } = first[i]!
      await until('its blocks are told', async () => (await heldBlocks(url(), prompt))[`${worker}/0`]! > 5)
      const again = await ask(url(), plain(0, { max_tokens: 2, prompt: `${prompt} And then?` }))
      expect(again).toMatchObject({ worker, dpRank: '0', cachedTokens: again.overlap })
      expect(again.overlap).toBeGreaterThan(5 * blockSize)
    }
  }, 60_000)

  test('a copy dies under load: no answer is lost or another, and it serves again', async () => {
    const requests = everyKind()
    const calm = await undisturbed(url(), requests)
    const seen = await disturbed(url(), requests, calm, async ({ pieces, quiet }) => {
      await pieces(600)
      process.kill(schedulersOf(server.pid)[0]!, 'SIGKILL')
      await until('its death is known', async () => (await workersOf(url())).some((one) => !one.ready))
      await pieces(600)
      await quiet(() => serving(url(), ids))
      await pieces(600)
    })
    expect(seen).toMatchObject({ failed: [], wrong: [] })
    const places = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(url(), plain(300 + i))))
    expect(new Set(places.map(({ worker }) => worker))).toEqual(new Set(ids))
    expect(sameOf(await ask(url(), plain(301)))).toEqual(sameOf(places[1]!))
  }, 240_000)
})
