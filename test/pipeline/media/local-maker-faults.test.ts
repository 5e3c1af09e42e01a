// What a maker does when something ends early: cancels, failures, crashes, a full queue.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { MediaMaker } from '../../../src/pipeline/media/media.ts'
import { fakeEncoders } from '../../helpers/fakes/encoders.ts'
import { clip, code, flux, listening, never, parse, picture, until, wan, world } from './maker-world.ts'

test('a full queue refuses at once with overloaded', async () => {
  const { maker } = await world({ failure: 'stall-after=1' }, { queueLimit: 1 })
  const abort = new AbortController()
  const running = maker.make(picture(), {}, abort.signal)
  const waiting = maker.make(picture(), {}, abort.signal)
  const error = await maker.make(picture(), {}, never).catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'overloaded' })
  expect(error.retryAfterSecs).toBeGreaterThan(0)
  abort.abort()
  expect(await Promise.all([code(running), code(waiting)])).toEqual(['client_closed_request', 'client_closed_request'])
})

test('cancel while queued frees the place at once; the engine never hears of it', async () => {
  const { maker, engine } = await world({ failure: 'stall-after=1' })
  const first = new AbortController()
  const running = maker.make(picture(), {}, first.signal)
  const second = new AbortController()
  const { listener, told } = listening()
  const waiting = maker.make(picture(), listener, second.signal)
  second.abort()
  expect(maker.pending()).toBe(1)
  expect(await code(waiting)).toBe('client_closed_request')
  expect(told).toEqual(['queued 0'])
  first.abort()
  await code(running)
  expect(engine.stepsRun()).toBeLessThanOrEqual(1)
})

test('cancel at any step: nothing is left, the next job is as ever, 100 times', async () => {
  for (const [modelPath, request] of [
    [flux, picture],
    [wan, clip],
  ] as const) {
    const { maker, engine, encoders } = await world({ modelPath })
    const expected = parse(await maker.make(request({ seed: 1 }), {}, never))
    for (let i = 0; i < 50; i++) {
      const abort = new AbortController()
      const at = (i * 7) % 12
      const before = engine.stepsRun()
      const job = maker.make(
        request({ steps: 12, outputs: 2, partials: 3 }),
        { progress: (step, _steps, output) => output * 12 + step === 1 + at + (i % 2) * 12 && abort.abort() },
        abort.signal,
      )
      expect(await code(job)).toBe('client_closed_request')
      expect(engine.stepsRun() - before).toBeLessThanOrEqual(2 + at + (i % 2) * 12)
      expect(engine.held()).toBe(0)
      expect(encoders.active).toBe(0)
      expect(maker.load()).toEqual({ waiting: 0, running: 0, encoding: 0 })
    }
    expect(parse(await maker.make(request({ seed: 1 }), {}, never))).toEqual(expected)
  }
}, 60_000)

test('cancel while a file is written: the encoder is stopped and the frames are given back', async () => {
  const gate = Promise.withResolvers<void>()
  const encoders = fakeEncoders({ before: () => gate.promise })
  const { maker, engine } = await world({ modelPath: wan }, { encoders })
  const abort = new AbortController()
  const job = maker.make(clip(), {}, abort.signal)
  await until(() => maker.load().encoding === 1)
  abort.abort()
  expect(encoders.log).toContain('abort')
  // The encoder may still read the frame that it was given.
  expect(engine.held()).toBe(1)
  gate.resolve()
  expect(await code(job)).toBe('client_closed_request')
  expect(engine.held()).toBe(0)
  expect(maker.pending()).toBe(0)
})

test('after a cancel the next job begins although the encoder still holds a picture of the cancelled one', async () => {
  const gate = Promise.withResolvers<void>()
  const encoders = fakeEncoders({ before: () => gate.promise })
  const { maker, engine } = await world({}, { encoders })
  const abort = new AbortController()
  const first = maker.make(picture({ outputs: 2 }), { progress: (_step, _steps, output) => output === 1 && abort.abort() }, abort.signal)
  let begun = false
  const second = maker.make(
    picture(),
    {
      progress() {
        begun = true
      },
    },
    never,
  )
  await until(() => begun)
  expect(engine.held()).toBeGreaterThan(0)
  gate.resolve()
  expect(await Promise.all([code(first), code(second)])).toEqual(['client_closed_request', 'made'])
  expect(engine.held()).toBe(0)
})

test('an encoder that fails ends the engine’s work; its reason is told', async () => {
  const broken = () => Promise.reject(new AppError('storage_failed', { message: 'no space left' }))
  const encoders = fakeEncoders({ before: (what) => (what === 'write' ? broken() : undefined) })
  const { maker, engine } = await world({ modelPath: wan, speedupRatio: 1000 }, { encoders })
  const job = maker.make(clip({ outputs: 2, steps: 400 }), {}, never)
  expect(await code(job)).toBe('storage_failed')
  expect(engine.stepsRun()).toBeLessThan(800)
  expect(engine.held()).toBe(0)
  expect(encoders.active).toBe(0)
})

test('a job that fails never keeps the queue', async () => {
  const { maker, engine } = await world({ failure: 'oom-every=2' })
  const codes = await Promise.all(Array.from({ length: 6 }, () => code(maker.make(picture(), {}, never))))
  expect(codes).toEqual(['made', 'out_of_memory', 'made', 'out_of_memory', 'made', 'out_of_memory'])
  expect(await code(maker.make(picture({ extra: { nonsense: 1 } }), {}, never))).toBe('engine_rejected')
  expect(await code(maker.make(picture(), {}, never))).toBe('made')
  expect(maker.pending()).toBe(0)
  expect(engine.held()).toBe(0)
})

test('when the engine dies its job fails, and those that wait go on when it is back', async () => {
  const { maker } = await world({ failure: 'crash-after=2,restart=40' })
  const jobs = Array.from({ length: 3 }, () => code(maker.make(picture(), {}, never)))
  expect(await jobs[0]).toBe('engine_failed')
  expect(maker.ready).toBe(false)
  expect(await code(maker.make(picture(), {}, never))).toBe('engine_unavailable')
  expect(await Promise.all(jobs)).toEqual(['engine_failed', 'made', 'made'])
})

test('an engine that never comes back is told to who waited long enough', async () => {
  const { maker } = await world({ failure: 'crash-after=2,restart=never' }, { queueWaitMs: 60 })
  const jobs = [1, 2].map(() => code(maker.make(picture(), {}, never)))
  expect(await Promise.all(jobs)).toEqual(['engine_failed', 'engine_unavailable'])
})

test('after close nothing begins any more', async () => {
  const { maker } = await world({ failure: 'stall-after=1' })
  const abort = new AbortController()
  const running = maker.make(picture(), {}, abort.signal)
  const waiting = maker.make(picture(), {}, never)
  maker.close()
  expect(maker.ready).toBe(false)
  expect(await code(waiting)).toBe('shutting_down')
  expect(await code((maker as MediaMaker).make(picture(), {}, never))).toBe('shutting_down')
  abort.abort()
  expect(await code(running)).toBe('client_closed_request')
})

test('the second output fails while the first is still written and the engine works', async () => {
  const gate = Promise.withResolvers<void>()
  let pictures = 0
  const broken = new AppError('encoding_failed', { message: 'no' })
  const encoders = fakeEncoders({ before: () => (++pictures === 1 ? gate.promise : Promise.reject(broken)) })
  const { maker, engine } = await world({}, { encoders })
  const { listener, told } = listening()
  const job = code(maker.make(picture({ outputs: 3, steps: 20 }), listener, never))
  await until(() => pictures === 2)
  await Bun.sleep(10)
  gate.resolve()
  expect(await job).toBe('encoding_failed')
  expect(told.filter((line) => line.startsWith('output'))).toEqual([])
  expect(engine.held()).toBe(0)
})

test('an engine that hangs does not keep the queue', async () => {
  const { maker, engine } = await world({ failure: 'stall-after=6' }, { silenceMs: 40 })
  const jobs = [1, 2].map(() => code(maker.make(picture(), {}, never)))
  expect(await Promise.all(jobs)).toEqual(['made', 'engine_failed'])
  await engine.control('stall', { on: false })
  expect(await code(maker.make(picture(), {}, never))).toBe('made')
})
