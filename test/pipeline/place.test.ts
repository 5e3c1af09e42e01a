// A new request that finds nobody: it waits for a worker that was there a moment ago, and for no other.
import { expect, test } from 'bun:test'
import type { TextRequest } from '../../src/pipeline/types.ts'
import { createRouter } from '../../src/router/create.ts'
import { defaultRouterOptions } from '../../src/router/options.ts'
import { workerSet } from '../../src/router/workers.ts'
import { ids } from '../helpers/fakes/letter-tokenizer.ts'
import { listener } from '../helpers/fakes/listener.ts'
import { type FakeWorker, fakeWorker } from '../helpers/fakes/router-pool.ts'
import { request, served } from '../helpers/fakes/served-letters.ts'
import { until } from '../helpers/run-request.ts'

const usage = { promptTokens: 2, completionTokens: 1, cachedTokens: 0, reasoningTokens: 0 }

function world(change: { migrationWaitMs: number }) {
  const workers = workerSet()
  const router = createRouter(workers, defaultRouterOptions)
  const { pipeline } = served({}, { router, ...change })
  const ask = (more: Partial<TextRequest> = {}, signal = new AbortController().signal) => {
    const heard = listener()
    return { heard, over: pipeline.run({ ...request, ...more }, heard.sink, signal).then(() => heard.error) }
  }
  return { workers, router, ask }
}

function become(worker: FakeWorker, ready: boolean) {
  worker.engine.ready = ready
  worker.emit({ kind: 'state', ready, reason: 'told by the test' })
}

/** Answers everything that has come. */
function answer({ engine }: FakeWorker) {
  for (const { sink, settle } of engine.running.splice(0)) {
    sink.push(ids('z$'), 0, 2, undefined)
    sink.end({ kind: 'stop', matched: 0 }, usage)
    settle()
  }
}

test('the last worker is away for a moment: the request waits and is answered', async () => {
  const { workers, router, ask } = world({ migrationWaitMs: 60_000 })
  const worker = fakeWorker('w0')
  workers.add(worker)
  become(worker, false)
  const { heard, over } = ask()
  await Bun.sleep(60)
  become(worker, true)
  await until('it is placed', () => worker.engine.running.length === 1)
  answer(worker)
  await over
  expect(heard.texts).toEqual(['z'])
  expect(router.booked().requests).toBe(0)
})

test('its successor will do', async () => {
  const { workers, ask } = world({ migrationWaitMs: 60_000 })
  workers.add(fakeWorker('w0'))
  workers.remove('w0')
  const { over } = ask()
  const successor = fakeWorker('w1')
  workers.add(successor)
  await until('it is placed', () => successor.engine.running.length === 1)
  answer(successor)
  await over
})

test('nobody comes back in time, nobody was ever there, or one is meant that is away: 503', async () => {
  const { workers, ask } = world({ migrationWaitMs: 50 })
  expect(await ask().over).toMatchObject({ code: 'engine_unavailable', status: 503 })
  const worker = fakeWorker('w0')
  workers.add(worker)
  become(worker, false)
  expect(await ask({ workerId: 'w0' }).over).toMatchObject({ code: 'engine_unavailable' })
  expect(await ask().over).toMatchObject({ code: 'engine_unavailable' })
  expect(worker.engine.running).toEqual([])
})

test('nobody waits for workers of a model that is closed', async () => {
  const { workers, router, ask } = world({ migrationWaitMs: 60_000 })
  const worker = fakeWorker('w0')
  workers.add(worker)
  become(worker, false)
  const { over } = ask()
  router.close()
  expect(await over).toMatchObject({ code: 'engine_unavailable' })
})

test('a client that leaves meanwhile is waited for no longer', async () => {
  const { workers, ask } = world({ migrationWaitMs: 60_000 })
  const worker = fakeWorker('w0')
  workers.add(worker)
  become(worker, false)
  const leaving = new AbortController()
  const { over } = ask({}, leaving.signal)
  leaving.abort()
  await over
  become(worker, true)
  await Bun.sleep(60)
  expect(worker.engine.running).toEqual([])
})
