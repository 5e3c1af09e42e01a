// The shape of JSON from clients: what passes, what is refused, and that texts and values are judged alike.
import { expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { checkText, checkValue, type JsonPlace, jsonRoom, parseJson } from '../../src/lib/json-limits.ts'

const body: JsonPlace = { whole: 'The request body' }

/** Code, param and message of the refusal; undefined when there is none. */
function refusal(act: () => unknown): [code: string, param: string | undefined, message: string] | undefined {
  try {
    act()
    return undefined
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown
    return [thrown.code, thrown.param ?? undefined, thrown.message]
  }
}

const members = (count: number, name = (i: number) => `key ${i}`) =>
  `{${Array.from({ length: count }, (_, i) => `${JSON.stringify(name(i))}: ${i}`).join(', ')}}`
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

test.each([
  ['members', `{"a": 1, "more": ${members(10_001)}}`, ['invalid_value', 'more', "'more' has too many members; at most 10000 are allowed."]],
  [
    'members of the whole',
    members(10_001),
    ['invalid_value', undefined, 'The request body has too many members; at most 10000 are allowed.'],
  ],
  ['biases', `{"logit_bias": ${members(65_537, String)}}`, ['invalid_value', 'logit_bias', expect.stringContaining('at most 65536')]],
  ['items', `{"a": {"b": [[${'1,'.repeat(65_536)}1]]}}`, ['invalid_value', 'b', "'b' has too many items; at most 65536 are allowed."]],
  ['levels', nested(130), ['invalid_json', undefined, 'The request body is nested deeper than 128 levels.']],
  [
    'values in all',
    `[${`${members(9000)},`.repeat(60)}1]`,
    ['invalid_value', undefined, expect.stringContaining('524288 members, objects')],
  ],
])('too many %s', (_, text, expected) => {
  expect(refusal(() => checkText(text, body, jsonRoom()))).toEqual(expected as never)
  expect(refusal(() => checkValue(JSON.parse(text), 0, '', body, jsonRoom()))).toEqual(expected as never)
  expect(refusal(() => parseJson(text, body))).toEqual(expected as never)
})

test.each([
  ['10000 members', members(10_000)],
  ['a bias for each token', `{"logit_bias": ${members(65_536, String)}}`],
  ['65536 items', `[${'{},'.repeat(65_535)}0]`],
  ['token ids without end', `{"prompt": [[${'1,'.repeat(200_000)}1], [1]]}`],
  ['129 levels', nested(129)],
  ['brackets, commas and colons in strings', JSON.stringify({ 'a:{[,': '[{"\\,:'.repeat(100_000) })],
  ['many messages', `[${'{"role": "user", "content": [{"type": "text", "text": "x"}]},'.repeat(65_535)}1]`],
])('%s pass', (_, text) => {
  expect(parseJson(text, body)).toEqual(JSON.parse(text))
})

test('a field of a form is named, and shares its room with the others', () => {
  const field = { whole: "'extra'", param: 'extra' }
  expect(refusal(() => parseJson(nested(200), field))).toEqual(['invalid_json', 'extra', "'extra' is nested deeper than 128 levels."])
  expect(refusal(() => parseJson(members(20_000), field))?.slice(0, 2)).toEqual(['invalid_value', 'extra'])
  const room = { parts: 10 }
  parseJson(members(5), { ...field, room })
  expect(refusal(() => parseJson(members(5), { ...field, room }))).toBeDefined()
})

test('texts that are no JSON are a SyntaxError or a refusal, short or long', () => {
  for (const text of ['', '{', '"', '"\\', ']]]]', '{"a":', ',,,,', `${' '.repeat(70_000)}"\\"`, `${']'.repeat(70_000)}`])
    expect(() => parseJson(text, body)).toThrow(SyntaxError)
  expect(refusal(() => parseJson('['.repeat(5_000_000), body))?.[0]).toBe('invalid_json')
})

test('text and value are judged alike, whatever is in them', () => {
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  const strange = ['', 'a', '"', '\\', '{', ',', ':', 'prompt', '\\"']
  const value = (depth: number): unknown => {
    const kind = random(depth > 8 ? 2 : 4)
    if (kind === 0) return random(100)
    if (kind === 1) return strange[random(strange.length)]
    const all = Array.from({ length: random(5) }, () => value(depth + 1))
    if (kind === 2) return all
    return Object.fromEntries(all.map((one, i) => [`${strange[random(strange.length)]}${i}`, one]))
  }
  for (let i = 0; i < 500; i++) {
    const one = [value(0)]
    const [spent, counted] = [jsonRoom(), jsonRoom()]
    checkText(JSON.stringify(one), body, spent)
    checkValue(one, 0, '', body, counted)
    expect(spent).toEqual(counted)
  }
})
