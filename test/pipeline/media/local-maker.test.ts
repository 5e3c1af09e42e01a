import { expect, test } from 'bun:test'
import { type MockDiffusionOptions, mockDiffusion } from '../../../src/engine/mock/diffusion/engine.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { type LocalMakerOptions, localMaker } from '../../../src/pipeline/media/local-maker.ts'
import type { Made, MediaListener, MediaMaker, MediaRequest } from '../../../src/pipeline/media/media.ts'
import { fakeEncoders } from '../../helpers/fakes/encoders.ts'

const flux = 'models/tiny-FLUX.1-dev'
const wan = 'models/tiny-Wan2.1-T2V-1.3B'
const never = new AbortController().signal

async function world(engineOptions: Partial<MockDiffusionOptions> = {}, more: Partial<LocalMakerOptions> = {}) {
  const engine = mockDiffusion({ modelPath: flux, speedupRatio: 1e6, ...engineOptions })
  await engine.start()
  const encoders = fakeEncoders()
  const maker = localMaker({ id: 'w0', engine, encoders, random: () => 0.25, ...more })
  return { engine, encoders, maker }
}

function picture(more: Partial<MediaRequest> = {}): MediaRequest {
  const size = { width: 128, height: 128, steps: 4 }
  return {
    requestId: 'r',
    kind: 'image',
    prompt: 'p',
    outputs: 1,
    images: [],
    format: { type: 'png' },
    partials: 0,
    extra: {},
    ...size,
    ...more,
  }
}

function clip(more: Partial<MediaRequest> = {}): MediaRequest {
  return picture({ kind: 'video', height: 96, frames: 9, fps: 8, format: { type: 'mp4' }, ...more })
}

/** What a listener was told, one line each. */
function listening(): { told: string[]; listener: MediaListener } {
  const told: string[] = []
  return {
    told,
    listener: {
      queued: (ahead) => told.push(`queued ${ahead}`),
      started: (id) => told.push(`started ${id}`),
      progress: (step, steps, output, fraction) => told.push(`${output}:${step}/${steps} ${fraction}`),
      partial: (output, index, file) => told.push(`partial ${output}.${index} ${file.contentType} ${file.width}x${file.height}`),
      output: (index, file) => told.push(`output ${index} ${file.contentType}`),
      frame: (index, jpeg) => told.push(`frame ${index} ${jpeg.length > 0}`),
    },
  }
}

const parse = (made: Made, index = 0) => JSON.parse(new TextDecoder().decode(made.files[index]!.bytes))
const code = (job: Promise<unknown>) =>
  job.then(
    () => 'made',
    (error) => error.code,
  )

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; !what(); i++) {
    if (i > 2000) throw new Error('it never came')
    await Bun.sleep(2)
  }
}

test('a picture: its file, what the model decided, where the time went', async () => {
  const { maker, engine } = await world()
  const { listener, told } = listening()
  const made = await maker.make(picture({ guidance: 2 }), listener, never)
  expect(made).toMatchObject({
    model: flux,
    workerId: 'w0',
    files: [{ contentType: 'image/png', extension: 'png', width: 128, height: 128, frames: 1 }],
    ...{ seed: Math.floor(0.25 * (2 ** 31 - 1024)), width: 128, height: 128, steps: 4, guidance: 2, frames: 1 },
  })
  expect(made.fps).toBeUndefined()
  const { queued, engine: ms, encode, total } = made.ms
  expect(queued + ms + encode).toBeCloseTo(total, 6)
  expect(told).toEqual(['started w0', '0:1/4 0.25', '0:2/4 0.5', '0:3/4 0.75', '0:4/4 1', 'output 0 image/png'])
  expect(engine.held()).toBe(0)
  expect(maker.pending()).toBe(0)
})

test('the same seed gives the same file, n outputs have seeds in a row', async () => {
  const { maker } = await world()
  const first = await maker.make(picture({ seed: 9, outputs: 3, format: { type: 'webp', compression: 80 } }), {}, never)
  const second = await maker.make(picture({ seed: 11, format: { type: 'webp', compression: 80 } }), {}, never)
  expect(first.files).toHaveLength(3)
  expect(parse(first, 2)).toEqual(parse(second))
  expect(parse(first, 0)).not.toEqual(parse(second))
  expect(parse(second)).toMatchObject({ type: 'webp', compression: 80 })
})

test('previews come before the output they belong to, as many as asked for', async () => {
  const { maker } = await world()
  const { listener, told } = listening()
  await maker.make(picture({ partials: 2, steps: 9, outputs: 2, format: { type: 'jpeg' } }), listener, never)
  expect(told.filter((line) => /^(partial|output)/.test(line))).toEqual([
    'partial 0.0 image/jpeg 16x16',
    'partial 0.1 image/jpeg 16x16',
    'output 0 image/jpeg',
    'partial 1.0 image/jpeg 16x16',
    'partial 1.1 image/jpeg 16x16',
    'output 1 image/jpeg',
  ])
})

test('a preview that cannot be encoded is left out', async () => {
  const encoders = fakeEncoders({ before: (what) => (what === 'preview' ? Promise.reject(new Error('no')) : undefined) })
  const { maker } = await world({}, { encoders })
  const { listener, told } = listening()
  await maker.make(picture({ partials: 3 }), listener, never)
  expect(told.filter((line) => line.startsWith('partial'))).toEqual([])
  expect(told).toContain('output 0 image/png')
})

test('a clip: frames go to the encoder while the engine still decodes', async () => {
  const { maker, engine, encoders } = await world({ modelPath: wan, speedupRatio: 0.05 })
  let running = 0
  const write = encoders.clip
  encoders.clip = (shape) => {
    const encoder = write(shape)
    const counted = async (frame: Uint8Array) => {
      await encoder.write(frame)
      running += engine.inFlight()
    }
    return { ...encoder, write: counted }
  }
  const made = await maker.make(clip({ steps: 1 }), {}, never)
  expect(made).toMatchObject({ frames: 9, fps: 8, height: 96, files: [{ contentType: 'video/mp4', frames: 9, fps: 8, note: 'fake' }] })
  expect(new Set(parse(made).hashes).size).toBe(9)
  expect(running).toBeGreaterThan(3)
  expect(engine.held()).toBe(0)
})

test('mjpeg: every frame is told as a JPEG, the file is all of them', async () => {
  const { maker } = await world({ modelPath: wan })
  const { listener, told } = listening()
  const made = await maker.make(clip({ format: { type: 'mjpeg' } }), listener, never)
  expect(told.filter((line) => line.startsWith('frame'))).toEqual(Array.from({ length: 9 }, (_, i) => `frame ${i} true`))
  expect(made.files[0]).toMatchObject({ contentType: 'video/x-motion-jpeg', frames: 9 })
})

test('64 requests at once: all are answered, one at a time, each told its place', async () => {
  const { maker, engine } = await world()
  let most = 0
  const seen = (running: number) => {
    most = Math.max(most, running)
  }
  const places: number[][] = []
  const jobs = Array.from({ length: 64 }, (_, i) => {
    places[i] = []
    return maker.make(picture({ seed: i }), { queued: (ahead) => places[i]!.push(ahead), progress: () => seen(engine.inFlight()) }, never)
  })
  expect(maker.pending()).toBe(64)
  const made = await Promise.all(jobs)
  expect(made.map(({ seed }) => seed)).toEqual(Array.from({ length: 64 }, (_, i) => i))
  expect(new Set(made.map((one) => parse(one).hash)).size).toBe(64)
  expect(most).toBe(1)
  expect(places[0]).toEqual([])
  expect(places[5]).toEqual([4, 3, 2, 1, 0])
})

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
})

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

test('while one is encoded the next is made; with two encoders’ worth of frames the engine waits', async () => {
  const gates: (() => void)[] = []
  const encoders = fakeEncoders({ before: () => new Promise<void>((resolve) => gates.push(resolve)) })
  const { maker, engine } = await world({}, { encoders })
  const jobs = Array.from({ length: 4 }, () => maker.make(picture(), {}, never))
  await until(() => engine.stepsRun() === 8)
  await Bun.sleep(20)
  expect(maker.load()).toEqual({ waiting: 2, running: 0, encoding: 2 })
  expect(engine.held()).toBe(2)
  while (gates.length > 0 || maker.pending() > 0) {
    for (const open of gates.splice(0)) open()
    await Bun.sleep(1)
  }
  await Promise.all(jobs)
  expect(engine.held()).toBe(0)
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

test('replicas run side by side', async () => {
  const { maker, engine } = await world({ replicas: 2, speedupRatio: 100 })
  let most = 0
  const seen = (running: number) => {
    most = Math.max(most, running)
  }
  await Promise.all([1, 2, 3, 4].map(() => maker.make(picture(), { progress: () => seen(engine.inFlight()) }, never)))
  expect(most).toBe(2)
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

test('the kind must fit', async () => {
  const { maker } = await world()
  expect(await code(maker.make(clip(), {}, never))).toBe('invalid_value')
})
