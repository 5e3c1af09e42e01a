// The fleet of media workers with makers that only remember what they were told.
import { afterEach, expect, test } from 'bun:test'
import type { CardChange } from '../../../../src/discovery/discovery.ts'
import { mediaRegistry } from '../../../../src/pipeline/media/media-registry.ts'
import type { MediaCard } from '../../../../src/pipeline/media/remote/card.ts'
import type { RemoteMaker } from '../../../../src/pipeline/media/remote/maker.ts'
import { createMediaFleet, type MediaFleet } from '../../../../src/serve/fleet/media/media-fleet.ts'
import { until } from '../../../helpers/run-request.ts'

const closing: MediaFleet[] = []
afterEach(() => {
  for (const fleet of closing.splice(0)) fleet.close()
})

const defaults = { width: 64, height: 64, steps: 4, guidance: 3, frames: 1, fps: 1 }
const infoOf = (makes: 'image' | 'video') => ({ makes, defaults, takesImages: false, sizeMultiple: 8, frameMultiple: 1, replicas: 1 })

interface Told extends Partial<MediaCard> {
  makes?: 'image' | 'video'
}

function card(kind: CardChange['kind'], id: string, { makes = 'image', ...more }: Told = {}): CardChange {
  const body = {
    ...{ id, endpoint: 'dyn://a.b.c', address: `tcp://${id}:1`, names: ['m'], info: infoOf(makes), ready: true, startedAt: 1 },
    ...more,
  }
  return { kind, card: { id, kind: 'media-worker', namespace: 'a', body } }
}

function world() {
  const registry = mediaRegistry()
  const log: string[] = []
  const connect = (first: MediaCard) => {
    const maker = {
      ...{ id: first.id, card: first },
      update(next: MediaCard) {
        maker.card = next
        log.push(`update ${first.id} ${next.ready}`)
      },
      retire: () => log.push(`retire ${first.id}`),
      close: () => log.push(`close ${first.id}`),
    }
    log.push(`connect ${first.id}`)
    return maker as unknown as RemoteMaker
  }
  // Each new one is the last choice.
  const fleet = createMediaFleet({ registry, connect, keepModelMs: 20, added: () => log.push('added'), random: () => 0.999 })
  closing.push(fleet)
  const served = () => registry.all().map(({ served, makers }) => [served.id, served.makes, ...served.aliases, makers.length])
  return { fleet, registry, log, served }
}

test('a model is served from its first worker until a while after its last', async () => {
  const { fleet, served, log } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('added', 'w2'))
  expect(served()).toEqual([['m', 'image', 2]])
  expect(fleet.makers().map(({ id }) => id)).toEqual(['w1', 'w2'])
  fleet.change(card('gone', 'w1'))
  fleet.change(card('gone', 'w2'))
  expect(served()).toEqual([['m', 'image', 0]])
  await until('forgotten', () => served().length === 0)
  expect(log).toEqual(['connect w1', 'added', 'connect w2', 'added', 'retire w1', 'retire w2'])
})

test('who waits for a place sees who comes and goes', () => {
  const { fleet, registry } = world()
  fleet.change(card('added', 'w1'))
  const { makers } = registry.find('image', 'm')
  fleet.change(card('added', 'w2'))
  fleet.change(card('gone', 'w1'))
  expect(makers.map(({ id }) => id)).toEqual(['w2'])
})

test('a worker that comes within the while keeps the model', async () => {
  const { fleet, served } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('gone', 'w1'))
  fleet.change(card('added', 'w2'))
  await Bun.sleep(40)
  expect(served()).toEqual([['m', 'image', 1]])
})

test('a model has the names of all its workers', () => {
  const { fleet, registry, served } = world()
  fleet.change(card('added', 'w1', { names: ['m', 'short'] }))
  fleet.change(card('added', 'w2', { names: ['m', 'other', 'short'] }))
  expect(served()).toEqual([['m', 'image', 'short', 'other', 2]])
  expect(registry.find('image', 'other').makers).toHaveLength(2)
  fleet.change(card('gone', 'w2'))
  expect(served()).toEqual([['m', 'image', 'short', 1]])
})

test('a changed card reaches the maker that is there; another address or model is another worker', () => {
  const { fleet, log, served } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('changed', 'w1', { ready: false }))
  fleet.change(card('changed', 'w1', { names: ['n'] }))
  expect(log.filter((line) => line !== 'added')).toEqual(['connect w1', 'update w1 false', 'retire w1', 'connect w1'])
  expect(served()).toEqual([
    ['m', 'image', 0],
    ['n', 'image', 1],
  ])
})

test('a worker that makes something else under the same name waits until the others have left', () => {
  const { fleet, served } = world()
  fleet.change(card('added', 'w1'))
  fleet.change(card('added', 'w2', { makes: 'video' }))
  expect(served()).toEqual([['m', 'image', 1]])
  fleet.change(card('gone', 'w1'))
  expect(served()).toEqual([['m', 'video', 1]])
})

test('cards of others and cards that cannot be read change nothing', () => {
  const { fleet, served, log } = world()
  fleet.change({ kind: 'added', card: { id: 't', kind: 'worker', namespace: 'a', body: {} } })
  fleet.change(card('added', 'w1', { address: undefined as never }))
  fleet.change(card('gone', 'w9'))
  expect([served(), log]).toEqual([[], []])
})

test('closed: connections end, nothing joins any more', () => {
  const { fleet, log } = world()
  fleet.change(card('added', 'w1'))
  fleet.close()
  fleet.change(card('added', 'w2'))
  expect(log).toEqual(['connect w1', 'added', 'close w1'])
})
