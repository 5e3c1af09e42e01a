import { expect, test } from 'bun:test'
import { fakeEncoders } from '../../helpers/fakes/encoders.ts'
import { clip, code, flux, listening, never, parse, picture, until, wan, world } from './maker-world.ts'

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
}, 60_000)

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
}, 60_000)

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

test('replicas run side by side', async () => {
  const { maker, engine } = await world({ replicas: 2, speedupRatio: 100 })
  let most = 0
  const seen = (running: number) => {
    most = Math.max(most, running)
  }
  await Promise.all([1, 2, 3, 4].map(() => maker.make(picture(), { progress: () => seen(engine.inFlight()) }, never)))
  expect(most).toBe(2)
})

test('the kind must fit', async () => {
  const { maker } = await world()
  expect(await code(maker.make(clip(), {}, never))).toBe('invalid_value')
})
