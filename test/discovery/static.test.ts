import { expect, test } from 'bun:test'
import type { Card } from '../../src/discovery/discovery.ts'
import { addressedDiscovery, createBoard, staticDiscovery } from '../../src/discovery/static.ts'
import { cardOf, listen } from '../helpers/discovery.ts'
import { eventually } from '../helpers/processes/start.ts'
import { discoverySuiteOfOneProcess } from '../suites/discovery.suite.ts'

discoverySuiteOfOneProcess('static: one process', async () => {
  const board = createBoard()
  return { open: async () => staticDiscovery(board), stop: async () => {} }
})

/** Workers that answer with what `cards` holds for their address. */
const askedFor = (cards: Record<string, Card | undefined>) =>
  addressedDiscovery(Object.keys(cards), async (address) => {
    const card = cards[address]
    if (card === undefined) throw new Error('connection refused')
    return card
  })

test('fixed addresses: those that answer are told first; a late one, a changed one and a restarted one follow', async () => {
  const cards: Record<string, Card | undefined> = { 'h:1': cardOf('one'), 'h:2': undefined }
  const discovery = askedFor(cards)
  const heard = await listen(discovery, 'ns')
  expect(heard.lines).toEqual(['added one'])
  cards['h:2'] = cardOf('two')
  await eventually('the second came', () => heard.cards.has('two'))
  cards['h:1'] = cardOf('one', { ready: false })
  await eventually('the first changed', () => heard.cards.get('one')?.body.ready === false)
  cards['h:1'] = cardOf('one-restarted')
  await eventually('the first is another life', () => heard.cards.has('one-restarted'))
  expect(heard.lines).toEqual(['added one', 'added two', 'changed one', 'gone one', 'added one-restarted'])
  expect(heard.wrong).toEqual([])
  await discovery.close()
})

test('fixed addresses: one that does not answer any more is gone, and comes back', async () => {
  const cards: Record<string, Card | undefined> = { 'h:1': cardOf('one') }
  const discovery = askedFor(cards)
  const heard = await listen(discovery, 'ns')
  cards['h:1'] = undefined
  await eventually('it is gone', () => heard.cards.size === 0)
  cards['h:1'] = cardOf('one')
  await eventually('it is back', () => heard.cards.size === 1)
  expect(heard.wrong).toEqual([])
  await discovery.close()
})

test('fixed addresses: a worker that hangs is gone too', async () => {
  let hang = false
  const discovery = addressedDiscovery(['h:1'], (_, signal) =>
    hang
      ? new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      : Promise.resolve(cardOf('one')),
  )
  const heard = await listen(discovery, 'ns')
  expect(heard.cards.size).toBe(1)
  hang = true
  await eventually('it is gone', () => heard.cards.size === 0)
  await discovery.close()
})

test('fixed addresses: a worker of another namespace is not used, and what is announced here is not told', async () => {
  const discovery = askedFor({ 'h:1': cardOf('one', {}, 'other') })
  const heard = await listen(discovery, 'ns')
  await (await discovery.announce(cardOf('x'))).update({ more: 1 })
  expect(heard.lines).toEqual([])
  await discovery.close()
})
