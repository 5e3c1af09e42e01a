// Numbers that doubles do not give back reach grammars and templates as the client wrote them.
import { expect, test } from 'bun:test'
import { keepNumbers, parseExact, withNumbers } from '../../src/lib/exact-json.ts'
import { toJson } from '../../src/template/jinja/library/json.ts'
import { numberOf } from '../../src/template/jinja/values.ts'
import { testApp } from '../helpers/fakes/app.ts'
import { random } from '../helpers/random.ts'

const odd = '{"a":1.0,"b":[-9223372036854775808,1e3,0.10],"c":"1.0","d":12,"e":1.5}'

/** The body of `text` with its exact numbers. */
function kept(text: string): Record<string, object> {
  const body = JSON.parse(text) as Record<string, object>
  keepNumbers(text, body)
  return body
}

test('numbers are written as they came', () => {
  expect(JSON.stringify(parseExact(odd))).toBe(odd)
  expect(JSON.stringify(parseExact('{"a": 1, "b": "2.50"}'))).toBe('{"a":1,"b":"2.50"}')
})

test.each([
  ['a member that is passed on', `{"model":"m","tools":[${odd}],"n":1}`, `[${odd}]`],
  ['spaces, and strings that look like JSON', `{ "x" : "\\"tools\\":[1.0],{" , "tools" : [ ${odd} ] }`, `[${odd}]`],
  ['the name in deeper objects', `{"a":{"tools":[2.0]},"tools":[${odd}],"b":[{"tools":[3.0]}]}`, `[${odd}]`],
  ['the last of equal names', `{"tools":[7.0],"tools":[${odd}]}`, `[${odd}]`],
])('%s', (_, text, wanted) => {
  expect(JSON.stringify(kept(text).tools)).toBe(wanted)
})

test('other members stay doubles, and so does what is no object', () => {
  expect(kept('{"seed":1.0,"tools":null,"json_schema":"1.0","messages":[{"tools":[1.0]}]}')).toEqual({
    ...({ seed: 1, tools: null, json_schema: '1.0' } as object),
    messages: [{ tools: [1] }],
  })
})

test('of any JSON only the writing of numbers changes', () => {
  const below = random(7)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
  const space = () => pick(['', ' ', '\n\t'])
  const value = (depth: number): string => {
    const kind = below(depth > 3 ? 4 : 6)
    if (kind === 0) return pick(['1.0', '1e5', '-0.50', '12345678901234567890', '3', '-7', '2.25', '1E-2'])
    if (kind === 1) return pick(['"a"', '"\\"}"', '"[{\\\\"', '"tools"', '"1.0:,"', '"é\\u0041"'])
    if (kind < 4) return pick(['true', 'false', 'null'])
    const items = Array.from({ length: below(4) }, (_, i) =>
      kind === 4 ? value(depth + 1) : `"${pick(['tools', 'k', '\\"', '}'])}${i}"${space()}:${space()}${value(depth + 1)}`,
    )
    return kind === 4 ? `[${space()}${items.join(`,${space()}`)}]` : `{${items.join(`${space()},`)}${space()}}`
  }
  for (let i = 0; i < 2000; i++) {
    const text = `{${space()}"messages":${value(0)},"tools":[${value(0)}]${space()},"response_format":{"x":${value(0)}},"z":${value(0)}}`
    const body = kept(text)
    expect(JSON.parse(JSON.stringify(body))).toEqual(JSON.parse(text))
    const numbers = (part: string) => part.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/-?\d[\d.eE+-]*/g) ?? []
    const from = text.indexOf('"tools":', text.indexOf('"messages"'))
    expect(numbers(text.slice(from))).toEqual(expect.arrayContaining(numbers(JSON.stringify(body.tools))))
  }
})

test('a template sees the numbers that Python makes of them', () => {
  const { tools } = kept('{"tools":[{"a":0.0,"b":1.5e3,"c":9223372036854775807,"d":1e-7,"e":2,"f":-0.0}]}')
  expect(toJson(withNumbers(tools!, numberOf))).toBe('[{"a": 0.0, "b": 1500.0, "c": 9223372036854775807, "d": 1e-07, "e": 2, "f": -0.0}]')
})

test('a schema goes to the grammar with the numbers of the request', async () => {
  const app = testApp()
  const schema = '{"properties":{"id":{"enum":[1234567890123456789]},"x":{"minimum":1.0}}}'
  const body = `{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":${schema}}}}`
  const answer = await app.get('/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect(answer.status).toBe(200)
  expect(app.pipeline.requests[0]!.sampling.json_schema).toBe(schema)
})
