// A prefill and a decode mock over a real bootstrap server, without a router: what each leg does, and what ends it.
import { afterEach, describe, expect, test } from 'bun:test'
import { bootstrapRoom, canaryRequest } from '../../../../src/engine/canary.ts'
import type { Engine } from '../../../../src/engine/engine.ts'
import type { MockOptions } from '../../../../src/engine/mock/engine.ts'
import type { GenerateRequest, SamplingParams } from '../../../../src/engine/types.ts'
import { requestOf, runRequest, until } from '../../../helpers/run-request.ts'
import { started } from '../world.ts'

const prompt = Array.from({ length: 40 }, (_, i) => 100 + i)
const engines: Engine[] = []
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop(0)
})

async function make(more: Partial<MockOptions> = {}): Promise<Engine> {
  const engine = await started(more)
  engines.push(engine)
  return engine
}

async function pair(more: Partial<MockOptions> = {}): Promise<{ prefill: Engine; decode: Engine }> {
  return { prefill: await make({ ...more, role: 'prefill' }), decode: await make({ ...more, role: 'decode', failure: '' }) }
}

/** The two legs of one request. */
function legs(prefill: Engine, sampling: SamplingParams = {}, rank = 0): { first: GenerateRequest; rest: GenerateRequest } {
  const bootstrap = { ...prefill.info.bootstrap!, room: bootstrapRoom(prefill.info.dpSize, rank), prefillDpRank: rank }
  const request = requestOf(prompt, { max_new_tokens: 30, ignore_eos: true, ...sampling }, { bootstrap })
  return { first: { ...request, sampling: { ...request.sampling, max_new_tokens: 1 }, dpRank: rank }, rest: request }
}

const idle = (...all: Engine[]) => until('nothing in flight', () => all.every((engine) => engine.inFlight() === 0))

describe('prefill and decode apart', () => {
  test('the decode leg answers what an aggregated engine answers', async () => {
    const { prefill, decode } = await pair()
    const whole = await runRequest(await make(), requestOf(prompt, { max_new_tokens: 30, ignore_eos: true }))
    const { first, rest } = legs(prefill)
    const [ended, answer] = await Promise.all([runRequest(prefill, first), runRequest(decode, rest)])
    expect(answer.ids).toEqual(whole.ids)
    expect(answer.finish).toEqual(whole.finish)
    expect(ended).toMatchObject({ finish: { kind: 'length' }, usage: { completionTokens: 1 } })
  })

  test('either leg may come first', async () => {
    const { prefill, decode } = await pair()
    const { first, rest } = legs(prefill)
    const answer = runRequest(decode, rest)
    await Bun.sleep(20)
    expect(decode.inFlight()).toBe(1)
    const ended = runRequest(prefill, first)
    expect((await answer).ids.length).toBe(30)
    expect((await ended).finish).toEqual({ kind: 'length' })
    const late = legs(prefill)
    const waits = runRequest(prefill, late.first)
    await Bun.sleep(20)
    expect(prefill.inFlight()).toBe(1)
    expect((await runRequest(decode, late.rest)).ids.length).toBe(30)
    await waits
    await idle(prefill, decode)
  })

  test('cached tokens are those of the prefill engine', async () => {
    const { prefill, decode } = await pair()
    for (const cached of [0, 32]) {
      const { first, rest } = legs(prefill)
      const [, answer] = await Promise.all([runRequest(prefill, first), runRequest(decode, rest)])
      expect(answer.usage!.cachedTokens).toBe(cached)
    }
  })

  test('two ranks: the room names the prefill rank', async () => {
    const { prefill, decode } = await pair({ dpSize: 2 })
    for (const rank of [0, 1, 1]) {
      const { first, rest } = legs(prefill, {}, rank)
      const [, answer] = await Promise.all([runRequest(prefill, first), runRequest(decode, rest)])
      expect(answer.ids.length).toBe(30)
    }
    const { first } = legs(prefill, {}, 0)
    const wrong = await runRequest(prefill, { ...first, dpRank: 1 })
    expect(wrong.finish).toMatchObject({ kind: 'abort', status: 400 })
  })

  test('room 0 is refused, and so is a bootstrap by an engine that works alone', async () => {
    const { prefill } = await pair()
    const { first } = legs(prefill)
    const zero = { ...first, bootstrap: { ...first.bootstrap!, room: 0 } }
    expect((await runRequest(prefill, zero)).finish).toMatchObject({ status: 400 })
    expect((await runRequest(await make(), first)).finish).toMatchObject({ status: 400 })
  })

  test('without a bootstrap each role answers alone, and so it does to a canary', async () => {
    const { prefill, decode } = await pair()
    for (const engine of [prefill, decode]) {
      expect(engine.info.worksAlone).toBe(true)
      expect((await runRequest(engine, requestOf(prompt, { max_new_tokens: 9, ignore_eos: true }))).ids.length).toBe(9)
      expect((await runRequest(engine, canaryRequest(engine.info, 0, 'canary'))).ids.length).toBe(1)
    }
  })

  test('an aborted leg ends the other', async () => {
    const { prefill, decode } = await pair({ failure: 'transfer-stall' })
    for (const side of ['prefill', 'decode'] as const) {
      const { first, rest } = legs(prefill)
      const stop = new AbortController()
      const none = new AbortController().signal
      const ended = runRequest(prefill, first, side === 'prefill' ? stop.signal : none)
      const answer = runRequest(decode, rest, side === 'decode' ? stop.signal : none)
      await Bun.sleep(30)
      stop.abort()
      const finishes = [(await ended).finish, (await answer).finish]
      const [aborted, other] = side === 'prefill' ? finishes : finishes.reverse()
      expect(aborted).toEqual({ kind: 'abort', message: 'the request was cancelled' })
      expect(other).toMatchObject({ kind: 'abort', status: 500 })
      await idle(prefill, decode)
    }
  })

  test('a prefill engine that dies ends the decode leg at once; after its restart it listens elsewhere', async () => {
    const { prefill, decode } = await pair({ failure: 'transfer-stall' })
    const { first, rest } = legs(prefill)
    const ended = runRequest(prefill, first)
    const answer = runRequest(decode, rest)
    await Bun.sleep(30)
    const before = prefill.info.bootstrap
    await prefill.control('crash', { restartMs: 10 })
    expect((await ended).error).toMatchObject({ code: 'engine_failed' })
    expect((await answer).finish).toMatchObject({ kind: 'abort', status: 500 })
    await until('restarted', () => prefill.ready)
    expect(prefill.info.bootstrap).not.toEqual(before!)
    await idle(prefill, decode)
  })

  test('a prefill engine that is not there', async () => {
    const { prefill, decode } = await pair()
    const { rest } = legs(prefill)
    await prefill.stop(0)
    expect((await runRequest(decode, rest)).finish).toMatchObject({ kind: 'abort', status: 500 })
    await idle(decode)
  })

  test('a decode engine that dies ends the prefill leg', async () => {
    const { prefill, decode } = await pair({ failure: 'transfer-stall' })
    const { first, rest } = legs(prefill)
    const ended = runRequest(prefill, first)
    const answer = runRequest(decode, rest)
    await Bun.sleep(30)
    await decode.control('crash', {})
    expect((await answer).error).toMatchObject({ code: 'engine_failed' })
    expect((await ended).finish).toMatchObject({ kind: 'abort', status: 500 })
    await idle(prefill, decode)
  })

  test('transfer-fail: both legs end, the next pair works', async () => {
    const { prefill, decode } = await pair({ failure: 'transfer-fail=2' })
    const run = async () => {
      const { first, rest } = legs(prefill)
      const [ended, answer] = await Promise.all([runRequest(prefill, first), runRequest(decode, rest)])
      return [ended.finish!.kind, answer.finish!.kind]
    }
    expect(await run()).toEqual(['length', 'length'])
    expect(await run()).toEqual(['abort', 'abort'])
    expect(await run()).toEqual(['length', 'length'])
    await idle(prefill, decode)
  })

  test('a prompt that nobody fetches is given up', async () => {
    const { prefill } = await pair({ bootstrapTimeoutMs: 30 })
    const { first } = legs(prefill)
    expect((await runRequest(prefill, first)).finish).toMatchObject({ kind: 'abort', status: 500 })
    await idle(prefill)
  })
})
