// The lease over a prefill and a decode lease, on engines whose every word the test says: each phase with each ending.
import { describe, expect, test } from 'bun:test'
import type { EngineInfo, EngineUsage, Finish } from '../../src/engine/types.ts'
import { AppError } from '../../src/lib/errors.ts'
import { pairLease } from '../../src/router/disagg.ts'
import type { Lease, Outcome } from '../../src/router/router.ts'
import { type Running, type ScriptedEngine, scriptedEngine, scriptedInfo } from '../helpers/fakes/scripted-engine.ts'
import { requestOf, runRequest } from '../helpers/run-request.ts'

const usage: EngineUsage = { promptTokens: 5, completionTokens: 3, cachedTokens: 0, reasoningTokens: 0 }
const prefillUsage: EngineUsage = { ...usage, completionTokens: 1, cachedTokens: 4 }
const length: Finish = { kind: 'length' }
const aborted: Finish = { kind: 'abort', message: 'Aborted' }
const died = () => new AppError('engine_failed', { message: 'The engine stopped while it worked on this request.' })

function leaseOn(id: string, engine: ScriptedEngine, dpRank?: number): Lease & { outcomes: (Outcome | undefined)[]; begun: number } {
  const made = {
    workerId: id,
    dpRank,
    engine,
    overlapTokens: id === 'p' ? 16 : 0,
    outcomes: [] as (Outcome | undefined)[],
    begun: 0,
    started() {
      made.begun++
    },
    release(outcome?: Outcome) {
      made.outcomes.push(outcome)
    },
  }
  return made
}

function pair(info: Partial<EngineInfo> = {}, prefillRank?: number) {
  const prefillEngine = scriptedEngine()
  const decodeEngine = scriptedEngine()
  const prefillInfo: EngineInfo = { ...scriptedInfo, role: 'prefill', bootstrap: { host: '10.0.0.1', port: 20123 }, ...info }
  const prefill = leaseOn('p', prefillEngine, prefillRank)
  const decode = leaseOn('d', decodeEngine, 1)
  const lease = pairLease(prefill, { info: prefillInfo }, decode)
  const stop = new AbortController()
  const run = (...asked: Parameters<typeof requestOf>) => runRequest(lease.engine as ScriptedEngine, requestOf(...asked), stop.signal)
  return { prefillEngine, decodeEngine, prefill, decode, lease, stop, run }
}

const row = (running: Running, ...ids: number[]) => running.sink.push(Int32Array.from(ids), 0, ids.length, undefined)

describe('one request, two legs', () => {
  test('both are sent at once, and meet in one room', async () => {
    const { prefillEngine, decodeEngine, run } = pair({ dpSize: 4 }, 3)
    void run([1, 2, 3, 4, 5], { max_new_tokens: 9, min_new_tokens: 4, temperature: 0.5 })
    const [first, rest] = [prefillEngine.running[0]!.request, decodeEngine.running[0]!.request]
    expect(first.bootstrap).toMatchObject({ host: '10.0.0.1', port: 20123, prefillDpRank: 3 })
    expect(rest.bootstrap).toEqual(first.bootstrap!)
    expect(first.bootstrap!.room % 4).toBe(3)
    expect(first).toMatchObject({ dpRank: 3, stream: false, sampling: { max_new_tokens: 1, min_new_tokens: 1, temperature: 0.5 } })
    expect(rest.sampling).toEqual({ max_new_tokens: 9, min_new_tokens: 4, temperature: 0.5 })
  })

  test('the decode leg feeds the sink, the prefill token is ignored, each lease is released at its own time', async () => {
    const { prefillEngine, decodeEngine, prefill, decode, lease, run } = pair()
    const answer = run([1, 2, 3, 4, 5])
    const [first, rest] = [prefillEngine.running[0]!, decodeEngine.running[0]!]
    row(first, 7)
    expect(prefill.outcomes).toEqual([])
    first.sink.end(length, prefillUsage)
    expect([prefill.begun, prefill.outcomes.length, decode.outcomes.length]).toEqual([1, 1, 0])
    row(rest, 7)
    row(rest, 8, 9)
    rest.sink.end(length, usage)
    const ran = await answer
    expect(ran.ids).toEqual([7, 8, 9])
    expect(ran.usage).toEqual({ ...usage, cachedTokens: 4 })
    lease.started()
    lease.release({ usage })
    lease.release({ usage })
    expect([decode.begun, decode.outcomes, prefill.outcomes]).toEqual([1, [{ usage }], [undefined]])
    expect(lease).toMatchObject({ workerId: 'd', dpRank: 1, prefillWorkerId: 'p', prefillDpRank: 0, overlapTokens: 16 })
  })

  test('a prefill leg that is not over a second after its answer is aborted', async () => {
    const { prefillEngine, decodeEngine, prefill, lease, run } = pair()
    const answer = run([1, 2])
    decodeEngine.running[0]!.sink.end(length, usage)
    await answer
    lease.release()
    expect(prefill.outcomes).toEqual([])
    const { signal, sink } = prefillEngine.running[0]!
    expect(signal.aborted).toBe(false)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    sink.end(aborted, prefillUsage)
    expect(prefill.outcomes).toEqual([undefined])
  })

  test('prompt log-probabilities come from the prefill leg, before any row', async () => {
    const { prefillEngine, decodeEngine, run } = pair()
    const answer = run([1, 2], {}, { logprobs: { top: 0, promptStart: 0 } })
    const ids = Int32Array.of(5)
    decodeEngine.running[0]!.sink.push(ids, 0, 1, { values: [-1] })
    ids[0] = 99 // The engine's array is its own.
    decodeEngine.running[0]!.sink.end(length, usage)
    prefillEngine.running[0]!.sink.promptLogprobs!({ ids: [1, 2], values: [null, -2] })
    prefillEngine.running[0]!.sink.end(length, prefillUsage)
    const ran = await answer
    expect(ran).toMatchObject({ ids: [5], values: [-1], prompt: { ids: [1, 2] }, finish: length })
  })

  test('a request without an answer runs on the prefill engine alone', async () => {
    const { prefillEngine, decodeEngine, prefill, run } = pair()
    const answer = run([1, 2], { max_new_tokens: 0 }, { logprobs: { top: 0, promptStart: 0 } })
    expect(decodeEngine.running.length).toBe(0)
    expect(prefillEngine.running[0]!.request.bootstrap!.host).toBe('2.2.2.2')
    prefillEngine.running[0]!.sink.promptLogprobs!({ ids: [1, 2], values: [null, -2] })
    prefillEngine.running[0]!.sink.end(length, prefillUsage)
    expect(await answer).toMatchObject({ ids: [], usage: { completionTokens: 0 }, prompt: { ids: [1, 2] } })
    expect(prefill.outcomes.length).toBe(1)
  })

  test('choices: each has its own room, the prefill lease is released after the last leg', async () => {
    const { prefillEngine, decodeEngine, prefill, run } = pair()
    const answers = [run([1, 2]), run([1, 2]), run([1, 2])]
    expect(new Set(prefillEngine.running.map((one) => one.request.bootstrap!.room)).size).toBe(3)
    for (const [i, one] of prefillEngine.running.entries()) {
      expect(prefill.outcomes.length).toBe(0)
      one.sink.end(length, prefillUsage)
      decodeEngine.running[i]!.sink.end(length, usage)
    }
    await Promise.all(answers)
    expect(prefill.outcomes.length).toBe(1)
  })
})

/** Where the request stands when something happens to it. */
const phases = {
  'while the prompt is computed': () => {},
  'while its KV is on the way': ({ prefillEngine }: ReturnType<typeof pair>) => row(prefillEngine.running[0]!, 7),
  'while it decodes': ({ prefillEngine, decodeEngine }: ReturnType<typeof pair>) => {
    prefillEngine.running[0]!.sink.end(length, prefillUsage)
    row(decodeEngine.running[0]!, 7)
  },
}

for (const [phase, enter] of Object.entries(phases))
  describe(phase, () => {
    const decoding = phase === 'while it decodes'

    /** A pair in this phase. */
    function there() {
      const world = pair()
      const answer = world.run([1, 2, 3, 4, 5])
      enter(world)
      return { ...world, answer, first: world.prefillEngine.running[0]!, rest: world.decodeEngine.running[0]! }
    }

    test('a cancel ends both legs, and neither engine is blamed', async () => {
      const { stop, first, rest, answer, lease, prefill, decode } = there()
      stop.abort()
      expect([first.signal.aborted, rest.signal.aborted]).toEqual([!decoding || first.signal.aborted, true])
      if (!decoding) first.sink.end({ kind: 'abort', message: 'KV transfer failed', status: 500, errorType: 'InternalServerError' }, usage)
      rest.sink.end(aborted, usage)
      const ran = await answer
      expect(ran.error ?? ran.finish).toBeDefined()
      lease.release({})
      expect([prefill.outcomes, decode.outcomes]).toEqual([[undefined], [{}]])
    })

    if (!decoding)
      test('a prefill engine that dies ends the answer at once, and the decode leg with it', async () => {
        const { first, rest, answer, lease, prefill, decode } = there()
        const error = died()
        first.sink.fail(error)
        const ran = await answer
        expect(ran.error).toBe(error)
        expect(rest.signal.aborted).toBe(true)
        row(rest, 1)
        rest.sink.end(aborted, usage)
        lease.release({ error })
        expect([prefill.outcomes, decode.outcomes]).toEqual([[{ error }], [undefined]])
      })

    test('a decode engine that dies ends the answer at once, and the prefill leg with it', async () => {
      const { first, rest, answer, lease, prefill, decode } = there()
      const error = died()
      rest.sink.fail(error)
      expect((await answer).error).toBe(error)
      if (!decoding) {
        expect(first.signal.aborted).toBe(true)
        expect(prefill.outcomes).toEqual([])
        first.sink.end(aborted, usage)
      }
      lease.release({ error })
      expect([prefill.outcomes, decode.outcomes]).toEqual([[undefined], [{ error }]])
    })

    test('a transfer that fails can be tried again elsewhere', async () => {
      const { rest, answer } = there()
      rest.sink.end({ kind: 'abort', message: 'KV transfer failed', status: 500, errorType: 'InternalServerError' }, usage)
      expect((await answer).error).toMatchObject({ code: 'engine_failed' })
    })

    test('a transfer that fails is told against the other end, not against the engine that is there to say so', async () => {
      const lost: Finish = { kind: 'abort', message: 'Decode transfer failed for request', status: 500, errorType: 'InternalServerError' }
      const byDecode = there()
      byDecode.rest.sink.end(lost, usage)
      const error = (await byDecode.answer).error!
      if (!decoding) byDecode.first.sink.end(aborted, usage)
      byDecode.lease.release({ error })
      expect(byDecode.prefill.outcomes).toEqual([decoding ? undefined : { error }])
      if (decoding) return
      expect(byDecode.decode.outcomes).toEqual([undefined])
      const byPrefill = there()
      byPrefill.first.sink.end({ ...lost, message: 'Prefill transfer failed for request' }, usage)
      const other = (await byPrefill.answer).error!
      byPrefill.lease.release({ error: other })
      expect([byPrefill.prefill.outcomes, byPrefill.decode.outcomes]).toEqual([[undefined], [{ error: other }]])
    })

    test('a refused request is told in the words of the engine', async () => {
      const { rest, answer } = there()
      const refused: Finish = { kind: 'abort', message: 'no such grammar', status: 400, errorType: 'BadRequestError' }
      rest.sink.end(refused, usage)
      expect((await answer).finish).toEqual(refused)
    })
  })

test('an engine that refuses at once: the other leg is never sent', async () => {
  const { prefillEngine, decodeEngine, prefill, run } = pair()
  const error = new AppError('engine_unavailable', { message: 'The engine is not ready.' })
  prefillEngine.generate = async (_request, sink) => sink.fail(error)
  expect((await run([1])).error).toBe(error)
  expect(decodeEngine.running.length).toBe(0)
  expect(prefill.outcomes).toEqual([{ error }])
})

test('a prefill worker that tells no address is a failure, not a hang', async () => {
  const made = pair({})
  const lease = pairLease(made.prefill, { info: { ...scriptedInfo, role: 'prefill' } }, made.decode)
  const ran = await runRequest(lease.engine as ScriptedEngine, requestOf([1]))
  expect(ran.error).toMatchObject({ code: 'engine_failed' })
  expect(made.prefill.outcomes.length).toBe(1)
})

test('an engine that throws instead of telling its sink ends both legs all the same', async () => {
  for (const side of ['prefillEngine', 'decodeEngine'] as const) {
    const world = pair()
    world[side].generate = () => Promise.reject(new Error('a bug'))
    expect((await world.run([1])).error).toMatchObject({ code: 'internal_error' })
    const other = side === 'prefillEngine' ? world.decodeEngine : world.prefillEngine
    expect(other.running[0]!.signal.aborted).toBe(true)
  }
})
