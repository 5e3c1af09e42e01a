// /health of a process that makes images: idle engines are asked for one step, busy and hanging ones are told apart.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import type { Made, MediaMaker, MediaRequest } from '../../../src/pipeline/media/media.ts'
import { mediaHealth } from '../../../src/serve/media/health.ts'
import { measuredMaker } from '../../../src/serve/media/measured.ts'

const defaults = { width: 1024, height: 1024, steps: 50, guidance: 3.5, frames: 1, fps: 16 }

/** A maker that keeps what it was asked, and answers as `make` says. */
function fakeMaker(make: (request: MediaRequest, signal: AbortSignal) => Promise<unknown> = async () => {}) {
  const asked: MediaRequest[] = []
  const state = { pending: 0, ready: true }
  const maker: MediaMaker = {
    id: 'one',
    info: { makes: 'image', defaults, takesImages: false, sizeMultiple: 16, frameMultiple: 1, replicas: 1 },
    get ready() {
      return state.ready
    },
    pending: () => state.pending,
    async make(request, _, signal) {
      asked.push(request)
      await make(request, signal)
      return {} as Made
    },
    control: async () => null,
  }
  return { maker: measuredMaker(maker, 'm'), asked, state }
}

function healthOf({ maker }: ReturnType<typeof fakeMaker>, options: object = {}) {
  const engine = { kind: 'mock', level: 'FluxPipeline', version: '0', model: 'm' }
  return mediaHealth({ makers: () => [{ maker, reason: 'why', engine }], freshMs: 10_000, ...options })
}

test('an idle engine proves itself with one step; the proof counts for a while', async () => {
  const fake = fakeMaker()
  const health = healthOf(fake)
  const [first] = await health.check()
  expect(first).toMatchObject({ id: 'one', healthy: true, ready: true, ranks: [{ canary: 'passed', error: null }] })
  await health.check()
  expect(fake.asked).toHaveLength(1)
  expect(fake.asked[0]).toMatchObject({ steps: 1, width: 256 })
})

test('one that fails is unhealthy, with the reason, and is asked again at once', async () => {
  const fake = fakeMaker(async () => {
    throw new AppError('out_of_memory', { message: 'no room' })
  })
  const health = healthOf(fake)
  expect((await health.check())[0]).toMatchObject({ healthy: false, ranks: [{ canary: 'failed', error: 'no room' }] })
  await health.check()
  expect(fake.asked).toHaveLength(2)
})

test('a busy engine is not asked; one without a step for too long hangs', async () => {
  const fake = fakeMaker()
  fake.state.pending = 1
  expect((await healthOf(fake).check())[0]).toMatchObject({ healthy: true, inFlight: 1, ranks: [{ canary: 'unknown' }] })
  expect((await healthOf(fake, { stallMs: -1 }).check())[0]).toMatchObject({
    healthy: false,
    ranks: [{ error: expect.stringContaining('no step') }],
  })
  expect(fake.asked).toHaveLength(0)
})

test('a slow proof does not hold the answer up, and one that takes too long has failed', async () => {
  const fake = fakeMaker((_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
  const health = healthOf(fake, { answerMs: 1, timeoutMs: 20 })
  expect((await health.check())[0]).toMatchObject({ healthy: true, ranks: [{ canary: 'unknown' }] })
  const patient = healthOf(fake, { timeoutMs: 5 })
  expect((await patient.check())[0]).toMatchObject({ healthy: false, ranks: [{ error: 'no picture within 5 ms' }] })
})

test('what has not started, and what is down, says why', async () => {
  const fake = fakeMaker()
  fake.state.ready = false
  expect((await healthOf(fake).check())[0]).toMatchObject({ healthy: false, ready: false, reason: 'why', ranks: [] })
  const starting = mediaHealth({ makers: () => [{ id: 'one', reason: 'starting' }], freshMs: 1 })
  expect(await starting.check()).toMatchObject([{ id: 'one', healthy: false, reason: 'starting', engine: null }])
})
