// The fleet with engines that only remember what they were told.
import { afterEach, expect, test } from 'bun:test'
import type { CardChange } from '../../../src/discovery/discovery.ts'
import type { WorkerCard } from '../../../src/engine/remote/card.ts'
import type { RemoteEngine } from '../../../src/engine/remote/engine.ts'
import { modelRegistry } from '../../../src/pipeline/model.ts'
import type { Router } from '../../../src/router/router.ts'
import { createFleet, type Fleet } from '../../../src/serve/fleet/fleet.ts'
import { until } from '../../helpers/run-request.ts'

const closing: Fleet[] = []
afterEach(async () => {
  for (const fleet of closing.splice(0)) await fleet.close()
})

const info = {
  contextLength: 10,
  blockSize: 1,
  dpSize: 1,
  totalKvTokens: 10,
  maxRunningRequests: 1,
  vocabSize: 10,
  maxPromptTokens: 9,
  role: 'aggregated',
}

function card(kind: CardChange['kind'], id: string, model = 'm', tokenizer = 'a', more: Partial<WorkerCard> = {}): CardChange {
  const files = { 'tokenizer.json': { bytes: 1, sha256: tokenizer } }
  const body = {
    id,
    endpoint: 'dyn://a.b.c',
    address: 'tcp://x:1',
    events: 'zmq://x:2',
    model: { names: [model], path: '/m', files },
    info,
    ...more,
  }
  return { kind, card: { id, kind: 'worker', namespace: 'a', body } }
}

const loadedOf = (id: string) => ({ served: { id, aliases: [], contextLength: 10 }, info: { contextLength: 10, maxPromptTokens: 9 } })

function world(load = async (card: WorkerCard) => loadedOf(card.model.names[0]!)) {
  const models = modelRegistry()
  const log: string[] = []
  const fleet = createFleet({
    models,
    keepModelMs: 20,
    connect: ({ id, info }) =>
      ({
        info,
        start: async () => log.push(`start ${id}`),
        stop: async () => log.push(`stop ${id}`),
        update: (next: WorkerCard) => log.push(`update ${id} ${next.ready}`),
      }) as unknown as RemoteEngine,
    router: () => ({ close: () => log.push('router closed') }) as unknown as Router,
    load: load as never,
  })
  closing.push(fleet)
  return { fleet, models, log, served: () => models.all().map((model) => model.served.id) }
}

test('a model is served from its first worker until a while after its last', async () => {
  const { fleet, served, log } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('added', 'w2'))
  await until('served', () => served().length === 1)
  expect(fleet.workers().map((worker) => worker.id)).toEqual(['w1', 'w2'])
  fleet.change(card('gone', 'w1'))
  fleet.change(card('gone', 'w2'))
  expect(served()).toEqual(['m'])
  await until('forgotten', () => served().length === 0)
  expect(log).toEqual(['start w1', 'start w2', 'stop w1', 'stop w2', 'router closed'])
})

test('a changed card reaches the engine that is there', async () => {
  const { fleet, log } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('changed', 'w1', 'm', 'a', { ready: false }))
  expect(log).toEqual(['start w1', 'update w1 false'])
})

test('several models, each with its own workers', async () => {
  const { fleet, served } = world()
  fleet.change(card('added', 'w1', 'm1'))
  fleet.change(card('added', 'w2', 'm2'))
  await until('served', () => served().length === 2)
  expect(served()).toEqual(['m1', 'm2'])
})

test('a worker with another tokenizer, and a card that cannot be read, are not used', async () => {
  const { fleet } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('added', 'w2', 'm', 'b'))
  fleet.change(card('added', 'w3', 'm', 'a', { address: undefined as never }))
  expect(fleet.workers().map((worker) => worker.id)).toEqual(['w1'])
})

test('a worker that reads pictures otherwise, or takes none, is not used beside those that do', async () => {
  const { fleet } = world()
  const sees = { ...info, sight: { padScheme: 'wide' } } as never
  const files = (pictures?: string) => ({
    'tokenizer.json': { bytes: 1, sha256: 'a' },
    ...(pictures && { 'preprocessor_config.json': { bytes: 1, sha256: pictures } }),
  })
  const model = (pictures?: string) => ({ names: ['m'], path: '/m', files: files(pictures) }) as never
  fleet.change(card('added', 'w1', 'm', 'a', { model: model('p'), info: sees }))
  fleet.change(card('added', 'same', 'm', 'a', { model: model('p'), info: sees }))
  fleet.change(card('added', 'other patches', 'm', 'a', { model: model('q'), info: sees }))
  fleet.change(card('added', 'a text model', 'm', 'a', { model: model(), info: sees }))
  fleet.change(card('added', 'told not to see', 'm', 'a', { model: model('p') }))
  expect(fleet.workers().map((worker) => worker.id)).toEqual(['w1', 'same'])
})

test("files that the first worker fails to give are asked of the model's other workers", async () => {
  const asked: string[] = []
  const { fleet, served } = world(async (card) => {
    asked.push(card.id)
    if (card.id === 'w1') throw new Error('gone')
    return loadedOf('m')
  })
  fleet.change(card('added', 'w1'))
  await Bun.sleep(1)
  fleet.change(card('added', 'w2'))
  await until('served', () => served().length === 1)
  expect(asked).toEqual(['w1', 'w2'])
})

test('workers with another tokenizer take over when the last of the others has left, with files of their own', async () => {
  const loaded: string[] = []
  const { fleet, served, log } = world(async (card) => {
    loaded.push(card.id)
    return loadedOf('m')
  })
  fleet.change(card('added', 'old'))
  await until('served', () => served().length === 1)
  for (const id of ['new1', 'new2', 'gone']) fleet.change(card('added', id, 'm', 'b'))
  fleet.change(card('gone', 'gone'))
  expect(fleet.workers().map((worker) => worker.id)).toEqual(['old'])
  fleet.change(card('gone', 'old'))
  expect(fleet.workers().map((worker) => worker.id)).toEqual(['new1', 'new2'])
  await until('served again', () => served().length === 1)
  expect(loaded).toEqual(['old', 'new1'])
  expect(log).toContain('router closed')
})

test('a worker with another tokenizer that comes after the last one left brings its own files', async () => {
  const loaded: string[] = []
  const { fleet, served } = world(async (card) => {
    loaded.push(card.id)
    return loadedOf('m')
  })
  fleet.change(card('added', 'old'))
  await until('served', () => served().length === 1)
  fleet.change(card('gone', 'old'))
  fleet.change(card('added', 'new', 'm', 'b'))
  await until('loaded', () => loaded.length === 2)
  await Bun.sleep(30)
  expect(served()).toEqual(['m'])
})

test('clients are promised what the least of the workers takes', async () => {
  const { fleet, models, served } = world()
  const small = { info: { ...info, contextLength: 4, maxPromptTokens: 3 } as never }
  fleet.change(card('added', 'w1'))
  await until('served', () => served().length === 1)
  const limits = () => models.all().map((model) => [model.served.contextLength, model.info.maxPromptTokens])
  expect(limits()).toEqual([[10, 9]])
  fleet.change(card('added', 'w2', 'm', 'a', small))
  expect(limits()).toEqual([[4, 3]])
  fleet.change(card('gone', 'w2'))
  expect(limits()).toEqual([[10, 9]])
})
