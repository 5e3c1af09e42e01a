import { expect, test } from 'bun:test'
import { StopMatcher } from '../../../src/pipeline/decode/stops.ts'

/** The plain twin: look at the whole text. */
function whole(text: string, stops: string[], include: boolean): { text: string; matched: string | null } {
  let best = { at: text.length, stop: null as string | null, end: text.length }
  // The first stop string to be complete wins; at the same end, the one that began first.
  for (let end = 1; end <= text.length && best.stop === null; end++)
    for (const stop of stops) {
      if (!text.slice(0, end).endsWith(stop)) continue
      const at = end - stop.length
      if (best.stop === null || at < best.at) best = { at, stop, end }
    }
  return { text: best.stop === null ? text : text.slice(0, include ? best.end : best.at), matched: best.stop }
}

function streamed(pieces: string[], stops: string[], include: boolean) {
  const matcher = new StopMatcher(stops, include)
  let text = ''
  for (const piece of pieces) {
    text += matcher.push(piece)
    if (matcher.matched !== null) return { text, matched: matcher.matched }
  }
  return { text: text + matcher.end(), matched: null }
}

test('a stop string across many pieces is cut exactly', () => {
  expect(streamed(['Hello, wor', 'ld. S', 'TO', 'P and more'], ['STOP'], false)).toEqual({ text: 'Hello, world. ', matched: 'STOP' })
  expect(streamed(['Hello S', 'TOP'], ['STOP'], true)).toEqual({ text: 'Hello STOP', matched: 'STOP' })
})

test('text that cannot begin a stop string is not held back', () => {
  const matcher = new StopMatcher(['\n\nUser:'], false)
  expect(matcher.push('Hello')).toBe('Hello')
  expect(matcher.push(' there\n')).toBe(' there')
  expect(matcher.push('x')).toBe('\nx')
})

test('one character at a time equals the search in the whole text', () => {
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return (seed >> 8) % below
  }
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: random(24) }, () => 'ab'[random(2)]).join('')
    const stops = Array.from({ length: 1 + random(3) }, () => Array.from({ length: 1 + random(5) }, () => 'ab'[random(2)]).join(''))
    const include = random(2) === 1
    expect(streamed([...text], stops, include)).toEqual(whole(text, stops, include))
  }
})
