import { expect, test } from 'bun:test'
import { Roster, staleMs } from '../../src/discovery/roster.ts'
import { cardOf } from '../helpers/discovery.ts'

/** A roster, what it told, and a clock that is looked at every 200 ms. */
function rosterWithClock() {
  const told: string[] = []
  const roster = new Roster(({ kind, card }) => told.push(`${kind} ${card.id}`))
  let now = 1000
  const pass = (ms: number, each: () => void = () => {}) => {
    for (let passed = 0; passed < ms; passed += 200) {
      now += 200
      each()
      roster.look(now)
      for (const card of roster.silent()) roster.lost(card.id)
    }
  }
  roster.look(now)
  return { roster, told, pass, jump: (ms: number) => (now += ms) }
}

test('a card whose heartbeat changes stays, one whose heartbeat stands still is lost, and a new heartbeat brings it back', () => {
  const { roster, told, pass } = rosterWithClock()
  let count = 0
  roster.seen(cardOf('lives'), '0')
  roster.seen(cardOf('dies'), '0')
  pass(5000, () => {
    roster.beat('lives', String(++count))
    roster.beat('dies', '0')
  })
  expect(told).toEqual(['added lives', 'added dies', 'gone dies'])
  roster.beat('dies', '1')
  expect(told.at(-1)).toBe('added dies')
})

test('nobody is lost for time in which nothing was looked at', () => {
  const { roster, told, pass, jump } = rosterWithClock()
  roster.seen(cardOf('a'), '0')
  pass(200)
  for (let i = 0; i < 2; i++) {
    jump(3_600_000)
    pass(200)
  }
  expect(told).toEqual(['added a'])
  pass(staleMs)
  expect(told).toEqual(['added a', 'gone a'])
})

test('after an outage everyone has the whole time again', () => {
  const { roster, told, pass } = rosterWithClock()
  roster.seen(cardOf('a'), '0')
  pass(staleMs - 200)
  roster.forgive()
  pass(staleMs - 200)
  expect(told).toEqual(['added a'])
})

test('a doubted card is told with its next heartbeat', () => {
  const { roster, told, pass } = rosterWithClock()
  roster.doubted(cardOf('a'), '7')
  roster.doubted(cardOf('a'), '7')
  expect([told, roster.doubts]).toEqual([[], true])
  roster.beat('a', '8')
  expect(told).toEqual(['added a'])
  roster.doubted(cardOf('b'), '7')
  pass(staleMs)
  expect([told, roster.doubts]).toEqual([['added a', 'gone a'], false])
})

test('a card that changed while it was lost is told as it is now', () => {
  const { roster, told, pass } = rosterWithClock()
  roster.seen(cardOf('a', { n: 1 }), '0')
  pass(staleMs + 200)
  roster.seen(cardOf('a', { n: 2 }), '0')
  expect(told).toEqual(['added a', 'gone a'])
  roster.seen(cardOf('a', { n: 2 }), '1')
  expect(told).toEqual(['added a', 'gone a', 'added a'])
})

test('what is long dead can be cleaned away, what was withdrawn is forgotten at once', () => {
  const { roster, told, pass } = rosterWithClock()
  roster.seen(cardOf('a'), '0')
  roster.seen(cardOf('b'), '0')
  roster.removed('b')
  roster.removed('b')
  pass(10_000)
  expect(roster.forgotten(10_000)).toEqual(['a'])
  roster.removed('a')
  expect([told, roster.ids()]).toEqual([['added a', 'added b', 'gone b', 'gone a'], []])
})

test('a listener that fails does not keep the others from their cards, and an ended roster is silent', () => {
  const told: string[] = []
  const roster = new Roster(({ card }) => {
    told.push(card.id)
    if (card.id === 'bad') throw new Error('no')
  })
  roster.seen(cardOf('bad'))
  roster.seen(cardOf('good'))
  roster.end()
  roster.seen(cardOf('late'))
  expect(told).toEqual(['bad', 'good'])
})
