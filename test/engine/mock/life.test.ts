import { describe, expect, test } from 'bun:test'
import { mockEngine } from '../../../src/engine/mock/engine.ts'
import { log } from '../../../src/lib/log.ts'
import { requestOf, runRequest } from '../../helpers/run-request.ts'
import { answer, options, Recorder, request, started } from './world.ts'

const prompt = Array.from({ length: 40 }, (_, i) => i)
const endless = { max_new_tokens: 30_000 }

/** A sink that resolves `reached` once it has some tokens. */
function watch(tokens: number) {
  const sink = new Recorder()
  const reached = Promise.withResolvers<void>()
  sink.onPush = () => {
    if (sink.ids.length >= tokens) reached.resolve()
  }
  return { sink, reached: reached.promise }
}

describe('abort', () => {
  test('ends a running request and frees its place', async () => {
    const engine = await started({ speedupRatio: 100 })
    const { sink, reached } = watch(3)
    const client = new AbortController()
    const done = engine.generate(request(prompt, endless), sink, client.signal)
    await reached
    client.abort()
    await done
    expect(sink.finish).toEqual({ kind: 'abort', message: 'the request was cancelled' })
    expect(engine.inFlight()).toBe(0)
    expect(await engine.control('get_load', {})).toMatchObject([{ running: 0, waiting: 0, usedTokens: 0 }])
  })

  test('from inside the sink, nothing follows the terminal', async () => {
    const engine = await started()
    const client = new AbortController()
    const sink = new Recorder()
    sink.onPush = () => {
      if (sink.ids.length === 5) client.abort()
    }
    await engine.generate(request(prompt, endless), sink, client.signal)
    expect(sink.calls.at(-1)).toBe('end')
    // At the latest after the step that was under way.
    expect(sink.ids.length).toBeLessThanOrEqual(6)
  })

  test('before it began, and while it waits', async () => {
    const engine = await started({ maxRunningRequests: 1, speedupRatio: 100 })
    expect((await answer(engine, request(prompt), AbortSignal.abort())).finish).toMatchObject({ kind: 'abort' })
    const { sink, reached } = watch(1)
    const first = new AbortController()
    const running = engine.generate(request(prompt, endless), sink, first.signal)
    const second = new AbortController()
    const waiting = answer(engine, request(prompt), second.signal)
    await reached
    expect(engine.inFlight()).toBe(2)
    second.abort()
    expect((await waiting).calls).toEqual(['end'])
    first.abort()
    await running
    expect(engine.inFlight()).toBe(0)
  })

  test('hundreds at random moments leave nothing behind', async () => {
    const engine = await started({ totalKvTokens: 2048, maxRunningRequests: 16 })
    const sinks = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const client = new AbortController()
        const sink = new Recorder()
        sink.onPush = () => {
          if (sink.ids.length === (i * 7) % 90) client.abort()
        }
        if (i % 11 === 0) setTimeout(() => client.abort(), i % 5)
        await engine.generate(request([...prompt, i], { max_new_tokens: 1 + ((i * 13) % 200) }), sink, client.signal)
        return sink
      }),
    )
    for (const { calls } of sinks) expect(calls.filter((call) => call !== 'push')).toEqual(['end'])
    expect(engine.inFlight()).toBe(0)
    expect(await engine.control('get_load', {})).toMatchObject([{ running: 0, waiting: 0, usedTokens: 0 }])
  })
})

test('a sink that throws loses its own request, not the others', async () => {
  const before = log.level
  log.level = 'silent'
  const engine = await started()
  const bad = new Recorder()
  bad.onPush = () => {
    throw new Error('a broken sink, on purpose')
  }
  const [, good] = await Promise.all([
    engine.generate(request(prompt, endless), bad, new AbortController().signal),
    answer(engine, request(prompt, { max_new_tokens: 50 })),
  ])
  log.level = before
  expect(bad.finish).toMatchObject({ kind: 'abort' })
  expect(good.ids).toHaveLength(50)
  expect(engine.inFlight()).toBe(0)
})

describe('ranks', () => {
  test('requests go to the least loaded rank, or to the one they name', async () => {
    const engine = await started({ dpSize: 3, speedupRatio: 100 })
    const client = new AbortController()
    const all = [undefined, undefined, undefined, 2, 2].map((dpRank) =>
      answer(engine, request(prompt, endless, dpRank === undefined ? {} : { dpRank }), client.signal),
    )
    const loads = (await engine.control('get_load', {})) as { running: number; waiting: number }[]
    expect(loads.map((load) => load.running + load.waiting)).toEqual([1, 1, 3])
    client.abort()
    await Promise.all(all)
  })
})

describe('failures', () => {
  test('crash-after: running requests fail, it is not ready, then it is again', async () => {
    const engine = await started({ failure: 'crash-after=200,restart=5' })
    const back = Promise.withResolvers<void>()
    const states: boolean[] = []
    engine.on((event) => {
      if (event.kind !== 'state') return
      states.push(event.ready)
      if (event.ready) back.resolve()
    })
    const cut = await answer(engine, request(prompt, endless))
    expect([cut.error?.code, cut.ids.length, cut.calls.at(-1)]).toEqual(['engine_failed', 200, 'fail'])
    const refused = await answer(engine, request(prompt))
    expect([refused.error?.code, refused.error?.retryAfterSecs]).toEqual(['engine_unavailable', 1])
    await back.promise
    expect(states).toEqual([false, true])
    expect((await answer(engine, request(prompt, { max_new_tokens: 300 }))).ids).toHaveLength(300)
  })

  test('stall-after: nothing comes any more, an abort still works', async () => {
    const engine = await started({ failure: 'stall-after=10' })
    const { sink, reached } = watch(10)
    const client = new AbortController()
    const done = engine.generate(request(prompt, endless), sink, client.signal)
    await reached
    await Bun.sleep(5)
    expect(sink.ids).toHaveLength(10)
    client.abort()
    await done
    expect(engine.inFlight()).toBe(0)
  })

  test('refuse: every k-th request gets a 503', async () => {
    const engine = await started({ failure: 'refuse=2' })
    const all = await Promise.all(Array.from({ length: 4 }, () => answer(engine, request(prompt, { max_new_tokens: 1 }))))
    expect(all.map(({ finish }) => (finish?.kind === 'abort' ? finish.status : 200))).toEqual([200, 503, 200, 503])
  })

  test('fail-start rejects, and a request finds it unavailable', async () => {
    const engine = mockEngine(options({ failure: 'fail-start,slow-start=1' }))
    await expect(engine.start()).rejects.toMatchObject({ code: 'sglang_failed' })
    expect((await answer(engine, request(prompt))).error?.code).toBe('engine_unavailable')
  })

  test.each(['explode', 'crash-after', 'crash-after=many', 'restart=soon'])('%s is refused with what is known', (failure) => {
    expect(() => mockEngine(options({ failure }))).toThrow(/cannot play the failure .* it knows: crash-after=TOKENS/)
  })
})

describe('stop', () => {
  test('lets running requests finish', async () => {
    const engine = await started()
    const last = answer(engine, request(prompt, { max_new_tokens: 100 }))
    await engine.stop(1000)
    expect((await last).ids).toHaveLength(100)
    expect((await answer(engine, request(prompt))).error?.code).toBe('engine_unavailable')
    await engine.stop(1000)
  })

  test('aborts what is still there at the deadline', async () => {
    const engine = await started({ speedupRatio: 0.001 })
    const last = answer(engine, request(prompt, endless))
    await engine.stop(1)
    expect((await last).finish).toMatchObject({ kind: 'abort', message: 'the engine stops' })
  })
})

test('metrics have the families of SGLang, a series a rank', async () => {
  const engine = await started({ dpSize: 2 })
  await answer(engine, request(prompt, { max_new_tokens: 7 }, { dpRank: 1 }))
  const text = await engine.metrics()
  expect(text).toContain('sglang:num_running_reqs{model_name="tiny",engine_type="mock",dp_rank="0"} 0')
  expect(text).toContain('sglang:generation_tokens_total{model_name="tiny",engine_type="mock",dp_rank="1"} 7')
})

test('a paused engine takes nothing: abort ends what runs, in_place holds it, and both tell when it is over', async () => {
  const engine = await started({ speedupRatio: 1000 })
  const states: boolean[] = []
  engine.on((event) => event.kind === 'state' && states.push(event.ready))
  const long = { max_new_tokens: 5000, ignore_eos: true }
  const cut = runRequest(engine, requestOf([1, 2], long))
  await Bun.sleep(5)
  await engine.control('pause_generation', {})
  expect((await cut).finish).toMatchObject({ kind: 'abort' })
  expect([engine.ready, (await runRequest(engine, requestOf([1]))).error?.code]).toEqual([false, 'engine_unavailable'])
  await engine.control('release_memory_occupation', {})
  await engine.control('continue_generation', {})
  const held = runRequest(engine, requestOf([1, 2], { max_new_tokens: 2000, ignore_eos: true }))
  await engine.control('pause_generation', { mode: 'in_place' })
  expect(engine.control('release_memory_occupation', {})).rejects.toMatchObject({ code: 'engine_rejected' })
  await engine.control('continue_generation', {})
  expect((await held).finish).toEqual({ kind: 'length' })
  expect(states).toEqual([false, true, false, true])
})

test('an unknown operation is refused with the known ones', async () => {
  await expect((await started()).control('dance', {})).rejects.toThrow(/it has flush_cache, get_load, .*crash, stall/)
})

test.each([
  ['--speedup-ratio', { speedupRatio: 0 }, 'must be a number above 0'],
  ['--speedup-ratio', { speedupRatio: Number.NaN }, 'must be a number above 0'],
  ['--dp-size', { dpSize: 0 }, 'from 1 to 1024'],
  ['--max-running-requests', { maxRunningRequests: 1e20 }, 'from 1 to'],
  ['--page-size', { blockSize: 1.5 }, 'whole number'],
  ['--max-total-tokens', { totalKvTokens: 16 }, 'at least two blocks'],
])('%s that makes no sense is refused at once', (param, more, message) => {
  expect(() => mockEngine(options(more))).toThrow(
    expect.objectContaining({ code: 'invalid_setting', param, message: expect.stringContaining(message) }),
  )
})
