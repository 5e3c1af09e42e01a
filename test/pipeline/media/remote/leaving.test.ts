// Workers that leave, and workers that others use too, as the maker in a frontend sees them.
import { expect, test } from 'bun:test'
import { AppError } from '../../../../src/lib/errors.ts'
import type { MediaCard } from '../../../../src/pipeline/media/remote/card.ts'
import { remoteMaker } from '../../../../src/pipeline/media/remote/maker.ts'
import type { PlaneClient, StreamListener } from '../../../../src/transport/request-plane.ts'
import { picture } from '../maker-world.ts'

const defaults = { width: 64, height: 64, steps: 4, guidance: 3, frames: 1, fps: 1 }
const info: MediaCard['info'] = { makes: 'image', defaults, takesImages: false, sizeMultiple: 8, frameMultiple: 1, replicas: 1 }
const card = (more: Partial<MediaCard> = {}): MediaCard => ({
  ...{ id: 'w1', endpoint: 'dyn://a.b.c', address: 'tcp://x:1', names: ['m'], info, ready: true, startedAt: 1 },
  ...more,
})

function world(first = card()) {
  const streams: StreamListener[] = []
  let closed = false
  const client: PlaneClient = {
    get connected() {
      return !closed
    },
    open(_head, listener) {
      streams.push(listener)
      return { cancel() {} }
    },
    onState: () => () => {},
    close() {
      closed = true
    },
  }
  const maker = remoteMaker(first, client)
  const never = new AbortController().signal
  const make = () => maker.make(picture(), {}, never).catch((thrown: AppError) => thrown.code)
  return { maker, make, streams, closed: () => closed }
}

test('a retired one is not ready, and its connection ends with its last job', async () => {
  const { maker, make, streams, closed } = world()
  const jobs = [make(), make()]
  maker.retire()
  expect([maker.ready, closed()]).toEqual([false, false])
  expect(await make()).toBe('engine_unavailable')
  streams[0]!.fail(new AppError('engine_failed', { message: 'x' }))
  await jobs[0]
  expect(closed()).toBe(false)
  streams[1]!.fail(new AppError('engine_failed', { message: 'x' }))
  await jobs[1]
  expect(closed()).toBe(true)
})

test('one without jobs is closed at once', () => {
  const { maker, closed } = world()
  maker.retire()
  expect(closed()).toBe(true)
})

test('a worker’s own end is no end of this process: the job may go elsewhere', async () => {
  const { make, streams } = world()
  const job = make()
  streams[0]!.fail(new AppError('shutting_down', { message: 'The server is shutting down.' }))
  expect(await job).toBe('engine_unavailable')
})

test('the load is that of this process at once, and of others as the card tells it', async () => {
  const { maker, make, streams } = world(card({ pending: 2 }))
  expect(maker.pending()).toBe(2)
  const job = make()
  expect(maker.pending()).toBe(3)
  maker.update(card({ pending: 3 }))
  expect(maker.pending()).toBe(3)
  streams[0]!.fail(new AppError('engine_failed', { message: 'x' }))
  await job
  expect(maker.pending()).toBe(2)
  maker.update(card({ pending: 0 }))
  expect(maker.pending()).toBe(0)
})
