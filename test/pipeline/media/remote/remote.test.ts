// A maker behind the request plane is like one in the process: what it tells, what it makes, how it fails, what it leaves behind.
import { afterEach, describe, expect, test } from 'bun:test'
import { AppError } from '../../../../src/lib/errors.ts'
import type { EncodedFile, Made, MediaListener, MediaMaker, MediaRequest } from '../../../../src/pipeline/media/media.ts'
import { type MediaCard, readMediaCard } from '../../../../src/pipeline/media/remote/card.ts'
import { hostMaker } from '../../../../src/pipeline/media/remote/host.ts'
import { type RemoteMaker, remoteMaker } from '../../../../src/pipeline/media/remote/maker.ts'
import { partBytes } from '../../../../src/pipeline/media/remote/protocol.ts'
import { tcpClient } from '../../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../../src/transport/tcp/server.ts'
import { connected } from '../../../helpers/plane-stream.ts'
import { until } from '../../../helpers/run-request.ts'

const info: MediaMaker['info'] = {
  makes: 'image',
  defaults: { width: 64, height: 64, steps: 4, guidance: 3, frames: 1, fps: 1 },
  takesImages: true,
  sizeMultiple: 8,
  frameMultiple: 1,
  replicas: 1,
}
const request: MediaRequest = {
  requestId: 'r1',
  kind: 'image',
  prompt: 'a cat',
  outputs: 2,
  images: [Uint8Array.of(1, 2, 3)],
  format: { type: 'png' },
  partials: 1,
  extra: { true_cfg_scale: 2 },
}

/** Some bytes that are different for each seed and position. */
function pattern(seed: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 255)
}

function file(seed: number, size: number): EncodedFile {
  return { bytes: pattern(seed, size), contentType: 'image/png', extension: 'png', width: 64, height: 64, frames: 1 }
}

/** A maker that tells everything there is to tell, then waits for `go` unless it is given. */
function scripted(sizes: number[], go: Promise<void> = Promise.resolve()) {
  const seen: { request?: MediaRequest; signal?: AbortSignal } = {}
  const maker: MediaMaker = {
    id: 'inner',
    info,
    ready: true,
    pending: () => 0,
    async make(asked, listener, signal) {
      seen.request = asked
      seen.signal = signal
      listener.queued?.(1)
      listener.started?.('inner')
      listener.progress?.(1, 4, 0, 0.125)
      listener.partial?.(0, 0, file(9, 100))
      await Promise.race([
        go,
        new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(new AppError('client_closed_request', { message: 'cancelled' }))),
        ),
      ])
      const files = sizes.map((size, i) => file(i, size))
      files.forEach((one, i) => {
        listener.output?.(i, one)
      })
      const ms = { queued: 1, engine: 2, encode: 3, total: 6 }
      return { model: 'm', workerId: 'inner', files, seed: 7, width: 64, height: 64, steps: 4, guidance: 3, frames: 1, ms }
    },
    async control(name, args) {
      if (name === 'oops') throw new AppError('engine_rejected', { message: 'no such adapter' })
      return { name, args }
    },
  }
  return { maker, seen }
}

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

async function remote(
  maker: MediaMaker,
  draining = () => false,
): Promise<{ far: RemoteMaker; server: Awaited<ReturnType<typeof tcpServer>> }> {
  const card = (address: string): MediaCard => ({
    id: 'w1',
    endpoint: 'dyn://a.b.c',
    address,
    names: ['m'],
    info,
    ready: true,
    startedAt: 1,
  })
  const server = await tcpServer(hostMaker(maker, { card: () => card('tcp://x'), draining }), {
    host: '127.0.0.1',
    advertisedHost: '127.0.0.1',
    port: 0,
    secret: undefined,
  })
  const client = tcpClient(server.address, { secret: undefined })
  const far = remoteMaker(card(server.address), client)
  cleanup.push(
    () => server.close(),
    () => far.close(),
  )
  await connected(client)
  return { far, server }
}

function remembering(): { listener: MediaListener; told: unknown[] } {
  const told: unknown[] = []
  const say =
    (name: string) =>
    (...args: unknown[]) =>
      void told.push([name, ...args])
  return {
    told,
    listener: { queued: say('queued'), started: say('started'), progress: say('progress'), partial: say('partial'), output: say('output') },
  }
}

const never = new AbortController().signal
const whole = (made: Made) => made.files.map((one) => one.bytes)

describe('a maker over TCP', () => {
  test('is told the whole request, and tells all that happens in order', async () => {
    const { maker, seen } = scripted([10, 20])
    const { far } = await remote(maker)
    const { listener, told } = remembering()
    const made = await far.make(request, listener, never)
    expect(seen.request).toEqual(request)
    expect(told).toEqual([
      ['queued', 1],
      ['started', 'w1'],
      ['progress', 1, 4, 0, 0.125],
      ['partial', 0, 0, file(9, 100)],
      ['output', 0, file(0, 10)],
      ['output', 1, file(1, 20)],
    ])
    expect(made).toMatchObject({ model: 'm', workerId: 'w1', seed: 7, ms: { total: 6 } })
    expect(whole(made)).toEqual([pattern(0, 10), pattern(1, 20)])
  })

  test.each([0, 1, partBytes - 1, partBytes, partBytes + 1, 9 * partBytes + 17])('a file of %d bytes arrives whole', async (size) => {
    const { far } = await remote(scripted([size]).maker)
    expect(whole(await far.make(request, {}, never))).toEqual([pattern(0, size)])
  })

  test('a cancel ends the work there, and the next job runs', async () => {
    const { maker, seen } = scripted([1], new Promise(() => {}))
    const { far } = await remote(maker)
    const stop = new AbortController()
    const job = far.make(request, { progress: () => stop.abort() }, stop.signal)
    expect((await job.catch((thrown) => thrown)).code).toBe('client_closed_request')
    await until('the worker heard of it', () => seen.signal!.aborted)
    expect(far.pending()).toBe(0)
    const again = await remote(scripted([5]).maker)
    expect(whole(await again.far.make(request, {}, never))).toEqual([pattern(0, 5)])
  })

  test('a frontend that is gone ends its jobs there', async () => {
    const { maker, seen } = scripted([1], new Promise(() => {}))
    const { far } = await remote(maker)
    const job = far.make(request, {}, never).catch((thrown) => thrown)
    await until('it runs', () => seen.signal !== undefined)
    far.close()
    expect((await job).code).toBe('engine_unavailable')
    await until('the worker heard of it', () => seen.signal!.aborted)
  })

  test('a worker that dies fails the job with a code that lets it go elsewhere', async () => {
    const { maker } = scripted([1], new Promise(() => {}))
    const { far, server } = await remote(maker)
    const { listener, told } = remembering()
    const job = far.make(request, listener, never).catch((thrown) => thrown)
    await until('it runs', () => told.length > 0)
    await server.close()
    expect(['engine_unavailable', 'shutting_down']).toContain((await job).code)
    await until('it is known to be gone', () => !far.ready)
  })

  test('a worker that drains takes nothing new', async () => {
    const { far } = await remote(scripted([1]).maker, () => true)
    expect((await far.make(request, {}, never).catch((thrown) => thrown)).code).toBe('engine_unavailable')
  })

  test('operations and their failures pass', async () => {
    const { far } = await remote(scripted([1]).maker)
    expect(await far.control('set_lora', { path: '/x' })).toEqual({ name: 'set_lora', args: { path: '/x' } })
    expect(await far.control('card', {})).toMatchObject({ id: 'w1', names: ['m'] })
    expect(far.control('oops', {})).rejects.toMatchObject({ code: 'engine_rejected', message: 'no such adapter' })
  })
})

test('a card from another version is refused by the name of what is wrong', () => {
  const good = { id: 'w', endpoint: 'dyn://a.b.c', address: 'tcp://x', names: ['m'], info, ready: true, startedAt: 1 }
  expect(readMediaCard(good)).toEqual(good)
  for (const [wrong, name] of [
    [{ ...good, id: 3 }, 'id'],
    [{ ...good, names: [] }, 'names'],
    [{ ...good, info: { ...info, makes: 'text' } }, 'info.makes'],
    [{ ...good, info: { ...info, replicas: 0 } }, 'info.replicas'],
    [{ ...good, info: { ...info, defaults: { ...info.defaults, fps: null } } }, 'info.defaults.fps'],
  ] as const)
    expect(() => readMediaCard(wrong as never)).toThrow(name)
})
