import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { Made, MediaListener, MediaMaker, ServedMedia } from '../../../src/pipeline/media/media.ts'
import { mediaRegistry } from '../../../src/pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../../src/pipeline/media/pipeline.ts'
import { placeJob } from '../../../src/pipeline/media/place.ts'
import { picture, world } from './maker-world.ts'

const never = new AbortController().signal
const request = picture()

interface Fake extends MediaMaker {
  ready: boolean
  jobs: number
  asked: number
}

function maker(id: string, more: { jobs?: number; replicas?: number; ready?: boolean; fail?: AppError; started?: boolean } = {}): Fake {
  const { jobs = 0, replicas = 1, ready = true, fail, started = false } = more
  const defaults = { width: 1, height: 1, steps: 1, guidance: 1, frames: 1, fps: 1 }
  return {
    id,
    info: { makes: 'image', defaults, takesImages: false, sizeMultiple: 16, frameMultiple: 1, replicas },
    ready,
    jobs,
    asked: 0,
    pending() {
      return this.jobs
    },
    async make(_request, listener: MediaListener) {
      this.asked++
      if (started) listener.started?.(id)
      if (fail !== undefined) throw fail
      return { model: 'path', workerId: id } as Made
    },
    control: async (name) => `${id} ${name}`,
  }
}

function served(id: string, makes: 'image' | 'video' = 'image', aliases: string[] = []): ServedMedia {
  return { id, aliases, createdSecs: 0, makes }
}

function pipelineOf(...makers: MediaMaker[]) {
  const registry = mediaRegistry()
  registry.add(served('flux', 'image', ['default']), makers)
  return { registry, pipeline: mediaPipeline(registry) }
}

const code = (job: Promise<unknown>) =>
  job.then(
    () => 'made',
    (error) => error.code,
  )

test('the ready maker with the fewest jobs for each replica takes it', () => {
  const [busy, idle, wide] = [maker('busy', { jobs: 2 }), maker('idle', { jobs: 1 }), maker('wide', { jobs: 3, replicas: 4 })]
  expect(placeJob([busy, idle, wide])?.id).toBe('wide')
  expect(placeJob([busy, idle])?.id).toBe('idle')
  expect(placeJob([busy, { ...idle, ready: false }])?.id).toBe('busy')
  expect(placeJob([{ ...idle, ready: false }])).toBeUndefined()
})

test('models are found by id, by alias, or as the first of their kind; answers carry the id', async () => {
  const { pipeline, registry } = pipelineOf(maker('a'))
  registry.add(served('wan', 'video'), [maker('b')])
  for (const model of ['flux', 'default', undefined]) {
    expect(await pipeline.make({ ...request, ...(model === undefined ? {} : { model }) }, {}, never)).toMatchObject({
      model: 'flux',
      workerId: 'a',
    })
  }
  expect(pipeline.info('video', undefined)).toMatchObject({ id: 'wan' })
  expect(pipeline.models().map(({ id }) => id)).toEqual(['flux', 'wan'])
  registry.remove('wan')
  expect(() => pipeline.info('video', undefined)).toThrow('No model that makes videos is served here. Served: flux (images).')
})

test('a name that is not there or makes something else is model_not_found, saying what is', async () => {
  const { pipeline } = pipelineOf(maker('a'))
  const told = (model: string, kind: 'image' | 'video') => pipeline.make({ ...request, model, kind }, {}, never).catch((error) => error)
  expect(await told('nope', 'image')).toMatchObject({ code: 'model_not_found', param: 'model' })
  expect((await told('flux', 'video')).message).toBe("The model 'flux' makes images, not videos. Served: flux (images).")
  expect(await code(mediaPipeline(mediaRegistry()).make(request, {}, never))).toBe('engine_unavailable')
})

test('ready tells whether some maker of the kind is', () => {
  const one = maker('a', { ready: false })
  const { pipeline } = pipelineOf(one)
  expect(pipeline.ready('image')).toBe(false)
  expect(() => pipeline.info('image', undefined)).toThrow('No engine of the model')
  one.ready = true
  expect(pipeline.ready('image')).toBe(true)
  expect(pipeline.ready('video')).toBe(false)
})

test('a job whose maker was gone before it began goes to another, once each', async () => {
  const gone = new AppError('engine_unavailable', { message: 'gone' })
  const [first, second, third] = [maker('a', { fail: gone }), maker('b', { jobs: 1, fail: gone }), maker('c', { jobs: 2 })]
  const { pipeline } = pipelineOf(first, second, third)
  expect(await pipeline.make(request, {}, never)).toMatchObject({ workerId: 'c' })
  expect([first.asked, second.asked, third.asked]).toEqual([1, 1, 1])
  const alone = maker('a', { fail: gone })
  expect(await code(pipelineOf(alone).pipeline.make(request, {}, never))).toBe('engine_unavailable')
  expect(alone.asked).toBe(1)
})

test('a full queue is not the end while another maker has room; of full ones the last says so', async () => {
  const full = new AppError('overloaded', { message: 'x', retryAfterSecs: 3 })
  const [a, b] = [maker('a', { fail: full }), maker('b', { jobs: 9 })]
  expect((await pipelineOf(a, b).pipeline.make(request, {}, never)).workerId).toBe('b')
  expect(await code(pipelineOf(a, maker('c', { fail: full })).pipeline.make(request, {}, never))).toBe('overloaded')
})

test('a job that failed in its engine, or had begun, is not tried again', async () => {
  const cases: [AppError, boolean][] = [
    [new AppError('out_of_memory', { message: 'x' }), true],
    [new AppError('engine_failed', { message: 'x' }), true],
    [new AppError('engine_unavailable', { message: 'x' }), true],
  ]
  for (const [fail, started] of cases) {
    const other = maker('b', { jobs: 1 })
    expect(await code(pipelineOf(maker('a', { fail, started }), other).pipeline.make(request, {}, never))).toBe(fail.code)
    expect(other.asked).toBe(0)
  }
})

test('control reaches every maker of the model, or all; one failure fails it', async () => {
  const { pipeline, registry } = pipelineOf(maker('a'), maker('b'))
  registry.add(served('wan', 'video'), [maker('c')])
  expect(await pipeline.control('flux', 'list_loras', {})).toEqual(['a list_loras', 'b list_loras'])
  expect(await pipeline.control(undefined, 'x', {})).toEqual(['a x', 'b x', 'c x'])
  const broken = { ...maker('d'), control: () => Promise.reject(new AppError('engine_rejected', { message: 'no' })) }
  registry.add(served('sd'), [maker('e'), broken])
  expect(await code(pipeline.control('sd', 'x', {}))).toBe('engine_rejected')
  expect(await code(pipeline.control('nope', 'x', {}))).toBe('model_not_found')
})

test('jobs that wait for an engine that died go to one that lives; the one inside it fails', async () => {
  const dying = await world({ failure: 'crash-after=2,restart=never' })
  const living = await world({}, { id: 'w1' })
  const registry = mediaRegistry()
  registry.add(served('flux'), [dying.maker, living.maker])
  const pipeline = mediaPipeline(registry, { lookMs: 5 })
  living.engine.control('stall', {})
  const told: string[] = []
  const jobs = Array.from({ length: 6 }, () =>
    pipeline.make(picture(), { started: (id) => told.push(id) }, never).then(
      (made) => made.workerId,
      (error) => error.code,
    ),
  )
  expect([dying.maker.pending(), living.maker.pending()]).toEqual([3, 3])
  while (dying.maker.pending() > 0) await Bun.sleep(5)
  expect(living.maker.pending()).toBe(5)
  await living.engine.control('stall', { on: false })
  expect(await Promise.all(jobs)).toEqual(['engine_failed', 'w1', 'w1', 'w1', 'w1', 'w1'])
  expect(told.sort()).toEqual(['w0', 'w1', 'w1', 'w1', 'w1', 'w1'])
})

test('an abort of the client is no reason to move', async () => {
  const { maker: first } = await world({ failure: 'stall-after=1' })
  const other = maker('b', { jobs: 9 })
  const abort = new AbortController()
  const job = pipelineOf(first, other).pipeline.make(picture(), {}, abort.signal)
  await Bun.sleep(10)
  abort.abort()
  expect(await code(job)).toBe('client_closed_request')
  expect(other.asked).toBe(0)
})
