import { expect, test } from 'bun:test'
import { watchAbsence } from '../../src/router/absence.ts'
import { workerSet } from '../../src/router/workers.ts'
import { type FakeWorker, fakeClock, fakeWorker } from '../helpers/fakes/router-pool.ts'

function world() {
  const clock = fakeClock()
  const workers = workerSet()
  const absence = watchAbsence(workers, () => workers.all().some(({ engine }) => engine.ready), clock)
  return { clock, workers, absence }
}

function become(worker: FakeWorker, ready: boolean) {
  worker.engine.ready = ready
  worker.emit({ kind: 'state', ready, reason: 'told by the test' })
}

test('nobody was ever there', () => {
  expect(world().absence.ms()).toBe(Number.POSITIVE_INFINITY)
})

test('counts from the moment in which the last worker was lost, also when nobody asks', () => {
  const { clock, workers, absence } = world()
  const [a, b] = [fakeWorker('a'), fakeWorker('b')]
  workers.add(a)
  workers.add(b)
  become(a, false)
  clock.pass(500)
  expect(absence.ms()).toBe(0)
  become(b, false)
  clock.pass(700)
  expect(absence.ms()).toBe(700)
  workers.remove('a')
  clock.pass(100)
  expect(absence.ms()).toBe(800)
  become(b, true)
  expect(absence.ms()).toBe(0)
  workers.remove('b')
  clock.pass(50)
  expect(absence.ms()).toBe(50)
})

test('closed, it hears of nobody any more', () => {
  const { clock, workers, absence } = world()
  const worker = fakeWorker('a')
  workers.add(worker)
  absence.close()
  become(worker, false)
  clock.pass(900)
  // Only seen now.
  expect(absence.ms()).toBe(0)
})
