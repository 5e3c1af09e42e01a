// Our Unicode classes and NFC against the native tables, code point by code point: fails when Bun or the native library brings new ones.
import { expect, test } from 'bun:test'
import { Tokenizer } from 'tokenizers'
import { uniform } from '../../../models/random.ts'
import { category, nfc, space } from '../../../src/tokenizer/encode/unicode.ts'
import { fixtureJson } from '../fixtures.ts'

const json = fixtureJson('tiny-llm')

function* codePoints(): Generator<string> {
  for (let code = 0; code < 0x110000; code++) if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code)
}

/** Which characters a native pattern matches. */
function nativeMatches(pattern: string): Set<string> {
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true } // only matches are left
  const cutter = Tokenizer.fromString(JSON.stringify({ ...json, pre_tokenizer: split })).getPreTokenizer()!
  const matches = new Set<string>()
  let text = ''
  // A thousand at a time, each between two letters that the pattern has as its borders.
  const flush = () => {
    for (const [part] of cutter.preTokenizeString(text)) matches.add(part.slice(1, -1))
    text = ''
  }
  for (const character of codePoints()) {
    text += `\ue000${character}\ue001`
    if (text.length > 4000) flush()
  }
  flush()
  return matches
}

for (const name of ['L', 'N', 'M', 'P', 'S', 'Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'white space']) {
  test(`${name}: every code point`, () => {
    const [ours, theirs] = name === 'white space' ? [space, '\\s'] : [category(name), `\\p{${name}}`]
    const native = nativeMatches(`\ue000${theirs}\ue001`)
    const regex = new RegExp(`^${ours}$`, 'v')
    const differing: string[] = []
    for (const character of codePoints())
      if (regex.test(character) !== native.has(character)) differing.push(character.codePointAt(0)!.toString(16))
    expect(differing.slice(0, 50)).toEqual([])
  }, 60_000)
}

test('NFC: every code point alone, decomposed, and among marks', () => {
  const native = Tokenizer.fromString(JSON.stringify(json)).getNormalizer()!
  const differing: string[] = []
  let lines: string[] = []
  const flush = () => {
    const wanted = native.normalizeString(lines.join('\n')).split('\n') // a line end joins with nothing
    for (const [i, line] of lines.entries()) if (nfc(line) !== wanted[i]) differing.push(JSON.stringify(line))
    lines = []
  }
  for (const character of codePoints()) {
    if (character === '\n') continue
    lines.push(character, character.normalize('NFD'), `x\u0345${character}`, `x${character}\u0334`, `${character}\u0301`)
    if (lines.length > 5000) flush()
  }
  flush()
  expect(differing.slice(0, 50)).toEqual([])
}, 60_000)

test('NFC: random runs of marks and letters that join', () => {
  const native = Tokenizer.fromString(JSON.stringify(json)).getNormalizer()!
  const marks = [...codePoints()].filter((character) => /[\p{M}\p{Lm}]/u.test(character) || character.normalize('NFD') !== character)
  const next = uniform(3)
  const pick = () => marks[Math.floor(next() * marks.length)]!
  for (let i = 0; i < 20_000; i++) {
    const text = `a${pick()}${pick()}${pick()}\u0301${pick()}`.normalize(i % 2 === 0 ? 'NFD' : 'NFC')
    expect(nfc(text)).toBe(native.normalizeString(text))
  }
})
