// The engine against a fake of the bridge: everything of the protocol that a healthy SGLang would not show.
import { expect, test } from 'bun:test'
import type { SglangOptions } from '../../../src/engine/sglang/options.ts'
import { fakeEngines } from '../../helpers/fakes/fake-engines.ts'
import { requestOf, runRequest, until } from '../../helpers/run-request.ts'

const { make, start } = fakeEngines()

for (const level of ['L1', 'L0', 'L2'] as const)
  test(`${level}: rows reach their sinks, slots are finished and used again`, async () => {
    const { engine, facts, events } = await start({ level, args: ['--model-path', 'x y', '--flag'] })
    expect(engine.info).toMatchObject({ kind: 'sglang', version: '0.0.0-fake', level, contextLength: 2048, eosIds: [2] })
    const lengths = Array.from({ length: 40 }, (_, i) => 1 + (i % 7))
    const all = await Promise.all(lengths.map((max_new_tokens) => runRequest(engine, requestOf([5, 6, 7], { max_new_tokens }))))
    for (const [i, ran] of all.entries()) {
      expect(ran.ids).toEqual(Array.from({ length: lengths[i]! }, (_, n) => 10 + n))
      expect(ran.finish).toEqual({ kind: 'length' })
      expect(ran.usage).toEqual({ promptTokens: 3, completionTokens: lengths[i]!, cachedTokens: 1, reasoningTokens: 0 })
    }
    await runRequest(engine, requestOf([5]))
    expect(await facts()).toMatchObject({
      fins: 41,
      reused: 0,
      live: 0,
      unfinished: 0,
      args: ['--model-path', 'x y', '--flag'],
      secret: 48,
      level,
    })
    expect(engine.strays).toEqual({ unknownRows: 0, lostFrames: 0 })
    await until('a load event', () => events.some((event) => event.kind === 'load' && event.totalTokens === 100))
  })

test('a refused request fails with the status that the bridge gave', async () => {
  const { engine, facts } = await start()
  const ran = await runRequest(engine, requestOf([901]))
  expect(ran.error).toMatchObject({ code: 'engine_rejected', status: 400, message: 'no such thing' })
  expect(await facts()).toMatchObject({ fins: 1, unfinished: 0 })
})

test('an abort that the engine is slow to confirm ends for the caller, and the slot waits', async () => {
  const { engine, facts } = await start()
  const abort = new AbortController()
  const running = runRequest(engine, requestOf([902], { max_new_tokens: 5000 }), abort.signal, () => abort.abort())
  expect((await running).finish).toEqual({ kind: 'abort', message: 'Aborted' })
  expect(engine.inFlight()).toBe(1)
  await runRequest(engine, requestOf([5]))
  await until('the engine lets go', () => engine.inFlight() === 0)
  expect(await facts()).toMatchObject({ reused: 0, unfinished: 0 })
  expect(engine.strays.unknownRows).toBe(0)
})

test('an abort in the queue is answered with a plain cancel', async () => {
  const { engine } = await start()
  const abort = new AbortController()
  const running = runRequest(engine, requestOf([906]), abort.signal)
  abort.abort()
  expect((await running).finish).toEqual({ kind: 'abort', message: 'left the queue' })
})

test('rows of strangers are counted and dropped', async () => {
  const { engine } = await start()
  const ran = await runRequest(engine, requestOf([904], { max_new_tokens: 4 }))
  expect(ran.ids).toEqual([10, 11, 12, 13])
  expect(engine.strays.unknownRows).toBe(8)
})

test('a lost frame is noticed', async () => {
  const { engine, notices } = await start()
  expect((await runRequest(engine, requestOf([905], { max_new_tokens: 4 }))).finish).toEqual({ kind: 'length' })
  expect(engine.strays.lostFrames).toBe(1)
  expect(notices).toEqual(['1 frames of rank 0 never came'])
})

test('embeddings use the same slots', async () => {
  const { engine, facts } = await start()
  const result = await engine.embed({ requestId: 'e', promptIds: Uint32Array.from([1, 2]) }, new AbortController().signal)
  expect(result).toEqual({ vector: new Float32Array([2, 1, 2]), promptTokens: 2 })
  expect(await facts()).toMatchObject({ fins: 1 })
})

test('control: values come back, unknown names are refused, pausing makes it unready', async () => {
  const { engine } = await start()
  expect(await engine.control('echo', { a: [1, { b: null }] })).toEqual({ a: [1, { b: null }] })
  expect(engine.control('nonsense', {})).rejects.toMatchObject({ code: 'route_not_found' })
  await engine.control('pause', { paused: true })
  expect(engine.ready).toBe(false)
  expect((await runRequest(engine, requestOf([5]))).error!.code).toBe('engine_unavailable')
  await engine.control('pause', { paused: false })
  expect((await runRequest(engine, requestOf([5]))).finish).toEqual({ kind: 'length' })
})

test('when the bridge dies, what runs fails at once, and the next request is served after the restart', async () => {
  const { engine, events } = await start()
  const others = Array.from({ length: 3 }, () => runRequest(engine, requestOf([5], { max_new_tokens: 10_000 })))
  const call = engine.control('never', {})
  const killer = runRequest(engine, requestOf([903]))
  for (const ran of await Promise.all([killer, ...others])) expect(ran.error).toMatchObject({ code: 'engine_failed', status: 500 })
  expect(call).rejects.toMatchObject({ code: 'engine_failed' })
  expect(engine.ready).toBe(false)
  expect(engine.inFlight()).toBe(0)
  const refused = await runRequest(engine, requestOf([5]))
  expect(refused.error).toMatchObject({ code: 'engine_unavailable', status: 503 })
  expect(refused.error!.retryAfterSecs).toBeGreaterThanOrEqual(1)
  await until('the restart', () => engine.ready)
  expect((await runRequest(engine, requestOf([5], { max_new_tokens: 2 }))).ids).toEqual([10, 11])
  expect(events.filter((event) => event.kind === 'state').map((event) => event.ready)).toEqual([false, true, false, false, true])
})

test('stop ends the process, also while it starts', async () => {
  const { engine } = await start()
  const pid = engine.pids[0]!
  await engine.stop(0)
  expect(() => process.kill(pid, 0)).toThrow()
  const { engine: starting } = make()
  const failed = starting.start().catch((thrown) => thrown)
  await starting.stop(0)
  expect(await failed).toMatchObject({ name: 'AppError' })
})

const traceback = 'Traceback (most recent call last):\n  File "x.py", line 1\n'
const fatal = (code: string, message: string) => ['--fatal', JSON.stringify({ code, message, lines: [] })]
test.each([
  ['no such python', { python: '/no/such/python' }, 'python_not_found', '/no/such/python'],
  [
    'SGLang missing',
    { args: ['--say', `${traceback}ModuleNotFoundError: No module named 'sglang'`, '--exit', '1'] },
    'sglang_not_found',
    'pip install',
  ],
  [
    'a package missing',
    { args: ['--say', "ModuleNotFoundError: No module named 'msgspec'", '--exit', '1'] },
    'sglang_not_found',
    'msgspec',
  ],
  [
    'unknown flag',
    { args: ['--say', 'usage: x\nerror: unrecognized arguments: --no-such-flag 3', '--exit', '2'] },
    'sglang_failed',
    '--no-such-flag 3',
  ],
  ['bad value', { args: fatal('bad_args', "argument --tp-size/--tp: invalid int value: 'x'") }, 'sglang_failed', 'invalid int value'],
  [
    'missing model',
    {
      args: fatal(
        'start_failed',
        "OSError: /nowhere is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
      ),
    },
    'model_path_not_found',
    '--model-path',
  ],
  [
    'GPU memory',
    { args: fatal('start_failed', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB') },
    'sglang_failed',
    'nvidia-smi',
  ],
  ['port taken', { args: fatal('start_failed', 'OSError: [Errno 98] Address already in use') }, 'port_in_use', '--port'],
  [
    'cuDNN',
    { args: fatal('start_failed', 'RuntimeError: CRITICAL WARNING: PyTorch 2.9 & CuDNN. Set SGLANG_DISABLE_CUDNN_CHECK=1') },
    'sglang_failed',
    'SGLANG_DISABLE_CUDNN_CHECK=1',
  ],
  ['too old', { args: fatal('unsupported', 'no seam send_output in SGLang 0.3') }, 'sglang_unsupported', '0.3'],
  ['something else', { args: ['--say', 'ValueError: the moon is full', '--exit', '1'] }, 'sglang_failed', 'the moon is full'],
])('start-up: %s', async (_name, options, code, part) => {
  const { engine } = make(options as Partial<SglangOptions>)
  const error = await engine.start().catch((thrown) => thrown)
  expect(error).toMatchObject({ name: 'AppError', code })
  expect(error.message).toContain(part)
})

test('a process that does not know the secret is not listened to', async () => {
  const { engine } = make({ args: ['--secret', 'guessed'] })
  expect(await engine.start().catch((thrown) => thrown)).toMatchObject({ code: 'sglang_failed' })
})
