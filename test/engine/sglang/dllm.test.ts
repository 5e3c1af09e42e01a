// Text diffusion on a real SGLang (CPU): rows are blocks, an answer goes on exactly where another engine left it, and what SGLang does not do is refused.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { llada2Block } from '../../../models/tiny-llada2.ts'
import { canaryRequest } from '../../../src/engine/canary.ts'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { need } from '../../helpers/need.ts'
import { requestOf, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyDiffusionModel } from '../../helpers/sglang.ts'

const python = sglangPython()
const cacheDir = mkdtempSync(join(tmpdir(), 'dllm-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const START_MS = 600_000
const CASE_MS = 300_000

const prompt = (length: number) => Array.from({ length }, (_, i) => 20 + ((i * 37) % 900))

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined))('text diffusion', () => {
  let engine: SglangEngine
  const events: EngineEvent[] = []

  beforeAll(async () => {
    const { path, args } = await tinyDiffusionModel()
    engine = sglangEngine({ python: python!, args: [...cpuArgs(path), ...args], env: cpuEnv(), cacheDir, kvEvents: true })
    engine.on((event) => events.push(event))
    await engine.start()
  }, START_MS)
  afterAll(() => engine?.stop(0), CASE_MS)

  test(
    'the canary: one token of a one-token prompt',
    async () => {
      const { ids, finish } = await runRequest(engine, canaryRequest(engine.info, 0, 'canary'))
      expect([ids.length, finish?.kind]).toEqual([1, 'length'])
    },
    CASE_MS,
  )

  test.each([1, 31, 32, 33, 70])(
    'rows end where a block of the whole text does: prompt of %d tokens',
    async (length) => {
      const { rows, ids, finish } = await runRequest(engine, requestOf(prompt(length), { max_new_tokens: 80, ignore_eos: true }))
      expect([ids.length, finish?.kind]).toEqual([80, 'length'])
      const ends = rows.map((_, i) => length + rows.slice(0, i + 1).reduce((sum, row) => sum + row, 0))
      expect(ends.slice(0, -1).filter((end) => end % llada2Block !== 0)).toEqual([])
      expect(rows.length).toBe(Math.ceil((length + 80) / llada2Block) - Math.floor(length / llada2Block))
    },
    CASE_MS,
  )

  test(
    'an answer goes on exactly from the ids so far (migration)',
    async () => {
      const length = 45
      const whole = await runRequest(engine, requestOf(prompt(length), { max_new_tokens: 90, ignore_eos: true }))
      const far = whole.rows[0]! + whole.rows[1]!
      await engine.control('flush_cache', {})
      const resumed = await runRequest(
        engine,
        requestOf([...prompt(length), ...whole.ids.slice(0, far)], { max_new_tokens: 90 - far, ignore_eos: true }, { resumed: far }),
      )
      expect(resumed.ids).toEqual(whole.ids.slice(far))
    },
    CASE_MS,
  )

  test(
    'KV events tell pages of a block, and a prompt seen before is not computed again',
    async () => {
      expect(engine.info.blockSize).toBe(llada2Block)
      const ask = () => runRequest(engine, requestOf([7, ...prompt(100)], { max_new_tokens: 4, ignore_eos: true }))
      const first = await ask()
      await until('blocks are told', () => stored() >= 3)
      const second = await ask()
      expect(second.ids).toEqual(first.ids)
      expect([first.usage?.cachedTokens, second.usage?.cachedTokens]).toEqual([0, 96])
    },
    CASE_MS,
  )
  const stored = () =>
    events
      .flatMap((event) => (event.kind === 'kv' ? event.changes : []))
      .reduce((sum, change) => sum + (change.kind === 'stored' ? change.local.length : 0), 0)

  test.each([
    ['a JSON schema', requestOf([5, 6], { json_schema: '{"type":"object"}' }), /JSON schema/],
    ['a regex', requestOf([5, 6], { regex: 'a+' }), /grammar/],
    ['log-probabilities', requestOf([5, 6], {}, { logprobs: { top: 1, promptStart: -1 } }), /log-probabilities/],
  ])(
    'refused by name: %s',
    async (_, request, words) => {
      const { error } = await runRequest(engine, request)
      expect(error).toMatchObject({ status: 400 })
      expect(error?.message).toMatch(words)
      expect(error?.message).toContain('--dllm-algorithm LowConfidence')
    },
    CASE_MS,
  )

  test(
    'an aborted answer leaves the engine free for the next',
    async () => {
      const stop = new AbortController()
      const cut = await runRequest(engine, requestOf([9, 9], { max_new_tokens: 1500, ignore_eos: true }), stop.signal, () => stop.abort())
      expect(cut.finish?.kind).toBe('abort')
      expect((await runRequest(engine, requestOf([9, 9], { max_new_tokens: 3, ignore_eos: true }))).ids.length).toBe(3)
      expect(engine.inFlight()).toBe(0)
    },
    CASE_MS,
  )
})
