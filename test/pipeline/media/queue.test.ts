import { expect, test } from 'bun:test'
import { emptyQueue, type QueueEffect, type QueueEvent, type QueueState, stepQueue } from '../../../src/pipeline/media/queue.ts'

/** `a` joins, `-a` leaves, `a!` is made, `<a` goes back, `down` and `up` are the engine. */
function play(words: string, slots = 1, limit = 2): [QueueState, string[][]] {
  let state = emptyQueue(slots, limit, true)
  const told: string[][] = []
  for (const word of words.split(' ')) {
    const [next, effects] = stepQueue(state, event(word, slots))
    state = next
    told.push(effects.map(say))
  }
  return [state, told]
}

function event(word: string, slots: number): QueueEvent {
  if (word === 'down' || word === 'up') return { kind: 'engine', open: word === 'up', slots }
  if (word.startsWith('-')) return { kind: 'leave', id: word.slice(1) }
  if (word.startsWith('<')) return { kind: 'back', id: word.slice(1) }
  if (word.endsWith('!')) return { kind: 'made', id: word.slice(0, -1) }
  return { kind: 'join', id: word }
}

function say(effect: QueueEffect): string {
  return effect.kind === 'ahead' ? `${effect.id} after ${effect.ahead}` : `${effect.kind} ${effect.id}`
}

test('first come, first served; who waits is told how many are before it', () => {
  const [, told] = play('a b c a! -a b!')
  expect(told).toEqual([['start a'], ['b after 0'], ['c after 1'], ['start b', 'c after 0'], [], ['start c']])
})

test('as many run as there are replicas', () => {
  const [state, told] = play('a b c -b', 2)
  expect(told).toEqual([['start a'], ['start b'], ['c after 0'], ['start c']])
  expect(state.running).toEqual(['a', 'c'])
})

test('a full queue refuses, and keeps nothing of it', () => {
  const [state, told] = play('a b c d')
  expect(told[3]).toEqual(['refuse d'])
  expect(state.waiting).toEqual(['b', 'c'])
})

test('no room to wait is no matter for who can start at once', () => {
  expect(play('a b', 1, 0)[1]).toEqual([['start a'], ['refuse b']])
})

test('a cancelled job leaves from the middle; those behind it move up', () => {
  const [state, told] = play('a b c -b -a', 1, 5)
  expect(told[3]).toEqual(['c after 0'])
  expect(told[4]).toEqual(['start c'])
  expect(state.running).toEqual(['c'])
})

test('the next begins while one is encoded, but frames do not pile up', () => {
  const [state, told] = play('a b c d a! b! -a', 1, 9)
  expect(told[4]).toEqual(['start b', 'c after 0', 'd after 1'])
  // a and b are being encoded: c waits for one of them.
  expect(told[5]).toEqual([])
  expect(told[6]).toEqual(['start c', 'd after 0'])
  expect(state).toMatchObject({ waiting: ['d'], running: ['c'], finishing: ['b'] })
})

test('while the engine is down nobody starts; the job that met that goes first', () => {
  const [state, told] = play('a b <a c up')
  expect(told).toEqual([['start a'], ['b after 0'], ['a after 0', 'b after 1'], ['refuse c'], ['start a', 'b after 0']])
  expect(state.open).toBe(true)
})

test('events of jobs that are gone do nothing', () => {
  const [state, told] = play('a -a a! -a <a')
  expect(told.slice(1)).toEqual([[], [], [], []])
  expect(state).toEqual(emptyQueue(1, 2, true))
})

test('whatever happens, no more run than may and nobody is in two places', () => {
  let seed = 1
  const dice = (sides: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * sides)
  }
  let state = emptyQueue(2, 4, true)
  const started = new Map<string, number>()
  for (let i = 0; i < 20_000; i++) {
    const id = `j${dice(12)}`
    const kinds = ['join', 'made', 'back', 'leave', 'leave', 'engine'] as const
    const kind = kinds[dice(kinds.length)]!
    const there = [...state.waiting, ...state.running, ...state.finishing]
    if (kind === 'join' && there.includes(id)) continue
    const [next, effects] = stepQueue(state, kind === 'engine' ? { kind, open: dice(4) > 0, slots: 2 } : { kind, id })
    state = next
    for (const effect of effects) if (effect.kind === 'start') started.set(effect.id, (started.get(effect.id) ?? 0) + 1)
    const all = [...state.waiting, ...state.running, ...state.finishing]
    expect(new Set(all).size).toBe(all.length)
    expect(state.running.length).toBeLessThanOrEqual(2)
    if (state.open && state.waiting.length > 0 && state.finishing.length < 4) expect(state.running.length).toBe(2)
  }
  expect(started.size).toBe(12)
})
