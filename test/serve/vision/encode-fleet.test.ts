// Encode workers as discovery tells of them: which become encoders of a language process.
import { expect, test } from 'bun:test'
import type { CardChange } from '../../../src/discovery/discovery.ts'
import type { VisionPool } from '../../../src/engine/vision/pool/pool.ts'
import type { EncoderCard } from '../../../src/engine/vision/remote/card.ts'
import { log } from '../../../src/lib/log.ts'
import { encodeFleet } from '../../../src/serve/vision/encode-fleet.ts'
import type { PlaneClient } from '../../../src/transport/request-plane.ts'

log.level = 'silent'

const own = { names: ['vl', 'alias'], config: 'sum', dim: 64 }

/** A fleet whose pool only notes who came and went. */
function fleetOf() {
  const lines: string[] = []
  const pool = {
    add: (id: string) => lines.push(`+${id}`),
    remove: async (id: string) => void lines.push(`-${id}`),
  } as unknown as VisionPool
  const fleet = encodeFleet(pool, own, () => ({ connected: false, onState: () => () => {} }) as unknown as PlaneClient)
  return { fleet, lines }
}

const body: EncoderCard = {
  ...{
    id: 'e',
    endpoint: 'dyn://a.encoder.generate',
    address: 'tcp://h:1/x',
    names: ['vl'],
    config: 'sum',
    dim: 64,
    domain: 'd',
    startedAt: 1,
  },
}
const told = (kind: CardChange['kind'], more: Partial<EncoderCard> = {}, cardKind: CardChange['card']['kind'] = 'encode-worker') =>
  ({ kind, card: { id: 'e', kind: cardKind, namespace: 'a', body: { ...body, ...more } } }) as CardChange

test('one of the model joins, and leaves with its card', () => {
  const { fleet, lines } = fleetOf()
  fleet.change(told('added'))
  fleet.change(told('changed', { startedAt: 2 }))
  expect([lines.join(' '), fleet.size()]).toEqual(['+e', 1])
  fleet.change(told('gone'))
  fleet.change(told('gone'))
  expect([lines.join(' '), fleet.size()]).toEqual(['+e -e', 0])
})

test.each<[string, Partial<EncoderCard>, string]>([
  ['the same files under another name', { names: ['/data/vl'] }, '+e'],
  ['one of our aliases', { names: ['x', 'alias'], config: 'quantized' }, '+e'],
  ['another model', { names: ['other'], config: 'other' }, ''],
  ['rows of another width', { dim: 128 }, ''],
  ['a card of another version', { dim: 'wide' as unknown as number }, ''],
])('%s', (_, more, expected) => {
  const { fleet, lines } = fleetOf()
  fleet.change(told('added', more))
  expect(lines.join(' ')).toBe(expected)
})

test('other kinds of processes mean nothing here', () => {
  const { fleet, lines } = fleetOf()
  for (const kind of ['worker', 'media-worker', 'frontend', 'node'] as const) fleet.change(told('added', {}, kind))
  expect(lines).toEqual([])
})

test('at another address it is another one', () => {
  const { fleet, lines } = fleetOf()
  fleet.change(told('added'))
  fleet.change(told('changed', { address: 'tcp://h:2/y' }))
  expect(lines.join(' ')).toBe('+e -e +e')
})
