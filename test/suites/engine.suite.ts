// The promises of engine/engine.ts, held by every engine. A new engine gets its tests by one call.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import type { EngineEvent } from '../../src/engine/types.ts'
import { requestOf, runRequest, until } from '../helpers/run-request.ts'

const startMs = 300_000
const caseMs = 120_000
const prompt = [11, 57, 301, 442, 98, 613, 27, 705]

/** Deterministic numbers in [0, 1), so that a failure can be repeated. */
function dice(seed: number) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Runs the shared cases on engines of `make` (one is started for all of them).
 * `more` adds cases on the same running engine; `abortTokens` is how many may come after an abort (2). The engine needs a vocabulary of 1,000 ids and a context of 1,024 tokens.
 */
export function engineSuite(
  name: string,
  make: () => Engine,
  extra: { more?: (engine: () => Engine) => void; abortTokens?: number } = {},
): void {
  describe(name, () => {
    let engine: Engine
    const states: EngineEvent[] = []
    const it = (title: string, body: () => Promise<void>, ms = caseMs) => test(title, body, ms)
    const quiet = () => until('no request in flight', () => engine.inFlight() === 0)

    beforeAll(async () => {
      engine = make()
      engine.on((event) => {
        if (event.kind === 'state') states.push(event)
      })
      await engine.start()
    }, startMs)
    afterAll(async () => {
      await engine?.stop(0)
    }, startMs)

    it('start gives the facts and says that it is ready', async () => {
      expect(engine.ready).toBe(true)
      expect(states.at(-1)).toMatchObject({ kind: 'state', ready: true })
      expect(engine.info.vocabSize).toBeGreaterThan(900)
      expect(engine.info.contextLength).toBeGreaterThanOrEqual(1024)
      expect(engine.info.maxPromptTokens).toBeLessThanOrEqual(engine.info.contextLength)
      expect(engine.info.maxRunningRequests).toBeGreaterThan(0)
      expect(engine.info.dpSize).toBeGreaterThan(0)
      expect(engine.info.version).not.toBe('')
    })

    it('an engine that was not started refuses with engine_unavailable', async () => {
      const { error } = await runRequest(make(), requestOf(prompt))
      expect(error).toMatchObject({ code: 'engine_unavailable' })
      expect(error!.retryAfterSecs).toBeGreaterThan(0)
    })

    it('greedy ids are the same each time, and max_new_tokens ends with length', async () => {
      const first = await runRequest(engine, requestOf(prompt, { max_new_tokens: 24, ignore_eos: true }))
      const again = await runRequest(engine, requestOf(prompt, { max_new_tokens: 24, ignore_eos: true }))
      expect(first.finish).toEqual({ kind: 'length' })
      expect(first.ids.length).toBe(24)
      expect(again.ids).toEqual(first.ids)
      expect(first.usage).toMatchObject({ promptTokens: prompt.length, completionTokens: 24 })
    })

    it('without streaming the same ids come', async () => {
      const sampling = { max_new_tokens: 60, ignore_eos: true }
      const stream = await runRequest(engine, requestOf(prompt, sampling))
      const whole = await runRequest(engine, requestOf(prompt, sampling, { stream: false }))
      expect(whole.ids).toEqual(stream.ids)
      expect(whole.usage!.completionTokens).toBe(60)
    })

    it('a stop id ends the answer and is its last id', async () => {
      const free = await runRequest(engine, requestOf(prompt, { max_new_tokens: 32, ignore_eos: true }))
      const stopId = free.ids[6]!
      const length = free.ids.indexOf(stopId) + 1
      const cut = await runRequest(engine, requestOf(prompt, { max_new_tokens: 32, stop_token_ids: [stopId] }))
      expect(cut.ids).toEqual(free.ids.slice(0, length))
      expect(cut.finish).toEqual({ kind: 'stop', matched: stopId })
      expect(cut.usage!.completionTokens).toBe(length)
    })

    it('EOS ends the answer unless ignore_eos is set', async () => {
      const eos = engine.info.eosIds[0]!
      const sampling = { max_new_tokens: 20, logit_bias: { [eos]: 100 } }
      const ended = await runRequest(engine, requestOf(prompt, sampling))
      expect(ended.finish).toMatchObject({ kind: 'stop' })
      expect(ended.ids.length).toBe(1)
      const ignored = await runRequest(engine, requestOf(prompt, { ...sampling, ignore_eos: true }))
      expect(ignored.finish).toEqual({ kind: 'length' })
      expect(ignored.ids.length).toBe(20)
    })

    it('parallel requests do not mix', async () => {
      const lengths = Array.from({ length: 20 }, (_, i) => 3 + i)
      const all = await Promise.all(
        lengths.map((length, i) => runRequest(engine, requestOf([...prompt, 100 + i], { max_new_tokens: length, ignore_eos: true }))),
      )
      expect(all.map((ran) => ran.ids.length)).toEqual(lengths)
      expect(all.map((ran) => ran.usage!.promptTokens)).toEqual(lengths.map(() => prompt.length + 1))
    })

    it('logprobs: one value a token, alternatives best first, the greedy choice among them', async () => {
      const ran = await runRequest(
        engine,
        requestOf(prompt, { max_new_tokens: 8, ignore_eos: true }, { logprobs: { top: 3, promptStart: -1 } }),
      )
      expect(ran.values.length).toBe(8)
      expect(ran.values.every((value) => value <= 0)).toBe(true)
      expect(ran.tops.map((top) => top.ids.length)).toEqual(ran.ids.map(() => 3))
      for (const [i, top] of ran.tops.entries()) {
        expect(top.values[0]).toBeGreaterThanOrEqual(top.values[1]!)
        expect(top.values[1]).toBeGreaterThanOrEqual(top.values[2]!)
        expect(top.values[0]).toBeCloseTo(ran.values[i]!, 3)
      }
      expect(ran.prompt).toBeUndefined()
    })

    it('prompt logprobs come once, the first without a value', async () => {
      const ran = await runRequest(
        engine,
        requestOf(prompt, { max_new_tokens: 4, ignore_eos: true }, { logprobs: { top: 2, promptStart: 0 } }),
      )
      expect(ran.prompt!.ids).toEqual(prompt)
      expect(ran.prompt!.values[0]).toBeNull()
      expect(ran.prompt!.values.slice(1).every((value) => value !== null && value <= 0)).toBe(true)
      expect(ran.prompt!.top!.length).toBe(prompt.length)
      expect(ran.prompt!.top![1]!.ids.length).toBe(2)
      expect(ran.values.length).toBe(4)
    })

    it('a grammar that is none is refused with 400', async () => {
      const ran = await runRequest(engine, requestOf(prompt, { json_schema: '{"type": "no such type"' }))
      expect(ran.error?.status ?? (ran.finish as { status?: number }).status).toBe(400)
      expect((await runRequest(engine, requestOf(prompt))).finish).toBeDefined()
    })

    it('a prompt beyond the context is refused with 400', async () => {
      const long = Array.from({ length: engine.info.contextLength + 20 }, (_, i) => 10 + (i % 900))
      const ran = await runRequest(engine, requestOf(long))
      expect(ran.error?.status ?? (ran.finish as { status?: number }).status).toBe(400)
    })

    it('an abort ends the answer within a few tokens and frees its place', async () => {
      // The best of five: on a busy machine the abort itself may be late.
      const allowed = extra.abortTokens ?? 2
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < 5 && best > allowed; i++) {
        const abort = new AbortController()
        let seen = 0
        const ran = await runRequest(engine, requestOf(prompt, { max_new_tokens: 900, ignore_eos: true }), abort.signal, (so) => {
          if (so.ids.length < 10 || seen > 0) return
          seen = so.ids.length
          abort.abort()
        })
        expect(ran.finish).toMatchObject({ kind: 'abort' })
        expect(seen).toBeGreaterThan(0)
        best = Math.min(best, ran.ids.length - seen)
        await quiet()
      }
      expect(best).toBeLessThanOrEqual(allowed)
    })

    it('an abort before the start runs nothing', async () => {
      const ran = await runRequest(engine, requestOf(prompt), AbortSignal.abort())
      expect(ran.finish).toMatchObject({ kind: 'abort' })
      expect(ran.finish).not.toHaveProperty('status')
      expect(ran.ids).toEqual([])
      await quiet()
    })

    it('an abort in the queue leaves the others alone', async () => {
      const stop = new AbortController()
      const busy = Array.from({ length: engine.info.maxRunningRequests }, (_, i) =>
        runRequest(engine, requestOf([...prompt, 100 + i], { max_new_tokens: 400, ignore_eos: true }), stop.signal),
      )
      const abort = new AbortController()
      const queued = runRequest(engine, requestOf(prompt, { max_new_tokens: 400, ignore_eos: true }), abort.signal)
      await Bun.sleep(20)
      abort.abort()
      expect((await queued).finish).toMatchObject({ kind: 'abort' })
      stop.abort()
      for (const ran of await Promise.all(busy)) expect(ran.finish).toMatchObject({ kind: 'abort' })
      await quiet()
    })

    it('a sink that throws does not hurt the others', async () => {
      const good = runRequest(engine, requestOf(prompt, { max_new_tokens: 40, ignore_eos: true }))
      let calls = 0
      const bad = engine.generate(
        requestOf(prompt, { max_new_tokens: 400, ignore_eos: true }),
        {
          push() {
            calls++
            throw new Error('a broken sink')
          },
          end() {},
          fail() {
            throw new Error('and again')
          },
        },
        new AbortController().signal,
      )
      await bad
      expect(calls).toBe(1)
      expect((await good).ids.length).toBe(40)
      expect(engine.ready).toBe(true)
      await quiet()
    })

    it('a thousand random aborts leave nothing behind', async () => {
      const random = dice(7)
      let left = 1000
      const lane = async () => {
        while (left-- > 0) {
          const abort = new AbortController()
          const waitMs = random() < 0.2 ? 0 : random() * 30
          if (random() < 0.1) abort.abort()
          else setTimeout(() => abort.abort(), waitMs)
          const ran = await runRequest(
            engine,
            requestOf([...prompt, 10 + Math.floor(random() * 900)], { max_new_tokens: 100 }, { stream: random() < 0.7 }),
            abort.signal,
          )
          expect(ran.error).toBeUndefined()
        }
      }
      await Promise.all(Array.from({ length: 24 }, lane))
      await quiet()
      expect((await runRequest(engine, requestOf(prompt, { max_new_tokens: 5, ignore_eos: true }))).ids.length).toBe(5)
    })

    it('metrics are Prometheus text of the engine', async () => {
      const text = await engine.metrics()
      expect(text).toContain('# TYPE sglang:')
      for (const line of text.split('\n')) expect(line).toMatch(/^(#.*|[a-zA-Z_:][\w:]*(\{.*\})? \S+.*|)$/)
    })

    it('flush_cache works, an unknown operation is refused', async () => {
      await engine.control('flush_cache', {})
      expect(engine.control('no_such_operation', {})).rejects.toMatchObject({ name: 'AppError' })
    })

    extra.more?.(() => engine)

    it('stop lets what runs finish and takes nothing new', async () => {
      const running = runRequest(engine, requestOf(prompt, { max_new_tokens: 50, ignore_eos: true }))
      await Bun.sleep(5)
      const stopping = engine.stop(60_000)
      const late = await runRequest(engine, requestOf(prompt))
      expect(['engine_unavailable', 'shutting_down']).toContain(late.error!.code)
      expect((await running).ids.length).toBe(50)
      await stopping
      expect(engine.ready).toBe(false)
      expect(engine.inFlight()).toBe(0)
      expect(states.at(-1)).toMatchObject({ ready: false })
    })
  })
}
