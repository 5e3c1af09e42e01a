// Prefill and decode apart on a real SGLang: KV goes from one engine's memory to the other's over NIXL. One pair, then whatever can happen to a request.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canaryRequest } from '../../../src/engine/canary.ts'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import { type Halves, halfArgs, halvesOf } from '../../helpers/halves.ts'
import { need } from '../../helpers/need.ts'
import { type Ran, requestOf, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../../helpers/sglang.ts'
import { hasHostNixl } from '../../sglang/nixl.ts'

const python = sglangPython()
const model = tinyModel()
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-pd-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))
const startMs = 600_000

function make(role: keyof typeof halfArgs): SglangEngine {
  const env = { ...cpuEnv(), SGLANG_HOST_IP: '127.0.0.1' }
  return sglangEngine({ python: python!, args: [...cpuArgs(model!), ...halfArgs[role]], env, cacheDir })
}

const ids = (length: number, from: number) => Array.from({ length }, (_, i) => 10 + ((from + i * 7) % 900))
const schema = JSON.stringify({ type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'], additionalProperties: false })
const greedy = { max_new_tokens: 24, ignore_eos: true }

/** Requests whose answers must not depend on where their prompt was computed. */
const questions = () => [
  requestOf(ids(9, 1), greedy),
  requestOf(ids(300, 2), greedy),
  requestOf(ids(300, 2), greedy, { stream: false }),
  requestOf(ids(1, 3), greedy),
  requestOf(ids(40, 4), { max_new_tokens: 1 }),
  requestOf(ids(40, 5), { max_new_tokens: 12, min_new_tokens: 8 }),
  requestOf(ids(40, 6), greedy, { logprobs: { top: 2, promptStart: -1 } }),
  requestOf(ids(12, 7), { max_new_tokens: 4 }, { logprobs: { top: 0, promptStart: 0 } }),
  requestOf(ids(12, 8), { max_new_tokens: 40, json_schema: schema }),
  requestOf(ids(12, 9), { max_new_tokens: 0 }, { logprobs: { top: 0, promptStart: 0 } }),
]

const told = ({ ids, finish, prompt }: Ran) => ({ ids, finish, prompt: prompt?.ids })

describe.skipIf(!need('SGLang with NIXL (bun run sglang:setup)', model !== undefined && hasHostNixl(python)))(
  'sglang, prefill and decode apart',
  () => {
    let prefill: SglangEngine
    let decode: SglangEngine
    let halves: Halves
    const expected: Ran[] = []

    beforeAll(async () => {
      const whole = make('aggregated')
      await whole.start()
      for (const question of questions()) expected.push(await runRequest(whole, question))
      await whole.stop(0)
      prefill = make('prefill')
      decode = make('decode')
      await Promise.all([prefill.start(), decode.start()])
      halves = halvesOf(prefill, decode)
    }, startMs)
    afterAll(async () => {
      halves?.close()
      await Promise.all([prefill?.stop(0), decode?.stop(0)])
    }, startMs)

    const ask: Halves['ask'] = (...args) => halves.ask(...args)

    /** No slot is taken after `withinMs`; and then nothing is left in any queue of SGLang's, or it would not drop its cache (which takes seconds on a busy CPU). */
    async function idle(withinMs: number): Promise<void> {
      await halves.idle(withinMs)
      const end = performance.now() + 50_000
      for (const engine of [decode, prefill])
        while (((await engine.control('flush_cache', {})) as { success?: boolean }).success === false) {
          if (performance.now() > end) throw new Error('an engine still holds a request')
          await Bun.sleep(20)
        }
    }

    test('the engines tell their roles and where they meet', () => {
      expect(prefill.info).toMatchObject({ role: 'prefill', tpSize: 1, isMla: false, bootstrap: { host: '127.0.0.1' } })
      expect(prefill.info.bootstrap!.port).toBeLessThan(32_768)
      expect(decode.info.role).toBe('decode')
      expect(prefill.info.maxPrefillTokens).toBeGreaterThan(0)
    })

    test('a canary passes on each', async () => {
      for (const engine of [prefill, decode]) {
        const ran = await runRequest(engine, canaryRequest(engine.info, 0, 'canary'))
        expect(ran.finish).toEqual({ kind: 'length' })
      }
    })

    test('without its other leg a request is refused, not left to hang', async () => {
      for (const engine of [prefill, decode]) expect((await runRequest(engine, requestOf(ids(5, 1)))).error).toMatchObject({ status: 400 })
    })

    test('answers are those of an aggregated engine', async () => {
      for (const [i, question] of questions().entries()) expect({ i, ...told(await ask(question)) }).toEqual({ i, ...told(expected[i]!) })
      const together = await Promise.all(questions().map((question) => ask(question)))
      expect(together.map(told)).toEqual(expected.map(told))
      await idle(15_000)
    }, 120_000)

    test('cached tokens are those of the prefill engine', async () => {
      const question = () => requestOf(ids(200, 77), greedy)
      expect((await ask(question())).usage!.cachedTokens).toBe(0)
      expect((await ask(question())).usage!.cachedTokens).toBeGreaterThan(150)
    })

    // A second on a calm machine; here four schedulers may share two cores with everything else, so only a leak fails.
    test('a cancel at any moment frees both engines', async () => {
      const long = { max_new_tokens: 600, ignore_eos: true }
      const stopAfter = (ms: number, length: number) => (stop: AbortController) => {
        setTimeout(() => stop.abort(), ms)
        return ask(requestOf(ids(length, ms), long), stop.signal)
      }
      const phases: [string, (stop: AbortController) => Promise<unknown>][] = [
        ['decoding', (stop) => ask(requestOf(ids(9, 2), long), stop.signal, (so) => so.ids.length > 20 && stop.abort())],
        [
          'queued',
          async (stop) => {
            const many = Array.from({ length: 24 }, (_, i) => ask(requestOf(ids(400, i), long), stop.signal))
            await until('some decode', () => decode.inFlight() === 24)
            await Bun.sleep(300)
            stop.abort()
            await Promise.all(many)
          },
        ],
      ]
      // During the prompt's computation and the transfer: a few milliseconds each, so every moment of them is tried.
      for (let ms = 0; ms <= 40; ms += 4) phases.push([`after ${ms} ms`, stopAfter(ms, 1200)])
      for (const [phase, run] of phases) {
        const stop = new AbortController()
        await run(stop)
        await idle(15_000).catch((thrown) => {
          throw new Error(`${phase}: ${thrown.message}`)
        })
      }
      expect(told(await ask(questions()[0]!))).toEqual(told(expected[0]!))
    }, 120_000)

    const victims: [string, () => number][] = [
      ['the prefill scheduler', () => prefill.pids[1]!],
      ['the bridge that hosts the bootstrap server', () => prefill.pids[0]!],
      ['the decode scheduler', () => decode.pids[1]!],
      ['the decode bridge', () => decode.pids[0]!],
    ]
    for (const [who, pid] of victims)
      test(
        `kill -9 of ${who} under load: every request ends before the restart, and the pair works again after it`,
        async () => {
          const long = { max_new_tokens: 400, ignore_eos: true }
          const lanes = Array.from({ length: 12 }, (_, i) => ask(requestOf(ids(900, i * 31), long)))
          await until('under way', () => decode.inFlight() > 0)
          await Bun.sleep(150)
          process.kill(pid(), 'SIGKILL')
          const ran = await Promise.all(lanes)
          expect(prefill.ready && decode.ready).toBe(false)
          for (const one of ran) if (one.error !== undefined) expect(['engine_failed', 'engine_unavailable']).toContain(one.error.code)
          expect(ran.some((one) => one.error !== undefined)).toBe(true)
          await until('both serve again', () => prefill.ready && decode.ready, 240_000)
          expect(told(await ask(questions()[1]!))).toEqual(told(expected[1]!))
          await idle(30_000)
        },
        startMs,
      )
  },
)
