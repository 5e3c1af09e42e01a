// The template language itself against Python's jinja2 with transformers' settings: models/templates/language.json, rendered by make_expected.py.
import { describe, expect, test } from 'bun:test'
import expected from '../../../models/templates/expected/language.json'
import { compileTemplate } from '../../../src/template/jinja/compile.ts'
import { TemplateFault } from '../../../src/template/jinja/fault.ts'
import { makeGlobals } from '../../../src/template/jinja/library/globals.ts'

const inputs = {
  s: 'text',
  l: [1, 2, 3],
  d: { a: 1, b: 'two' },
  k: { items: 7 },
  ms: [
    { role: 'user', content: 'hi', n: 1 },
    { role: 'assistant', content: 'yo', n: 2, name: 'bob' },
  ],
}
const globals = makeGlobals(() => new Date(2026, 10, 21, 9, 5, 7))
const render = (source: string) => compileTemplate(source).render(inputs, globals)

describe('like jinja2', () => {
  test.each(expected.map((row) => [row.name, row] as const))('%s', (source, row: { text?: string; error?: string }) => {
    if (row.error === undefined) return expect(render(source)).toBe(row.text!)
    expect(() => render(source)).toThrow(TemplateFault)
    // Errors at render time have Python's words; those of the parser are our own.
    const words = /^(?:TypeError|UndefinedError|SecurityError|TemplateError|ZeroDivisionError): (.*)/.exec(row.error)?.[1]
    if (words !== undefined && !words.startsWith('cannot unpack') && !words.startsWith('sequence item'))
      expect(() => render(source)).toThrow(words)
  })
})

describe('faults know their line', () => {
  const lineOf = (source: string) => {
    try {
      render(source)
    } catch (error) {
      return (error as TemplateFault).line
    }
  }
  test('of a syntax error', () => expect(lineOf('a\n{# two\nlines #}\n{{ 1 + }}')).toBe(4))
  test('of an unclosed block', () => expect(() => render('a\n{% for x in l %}\nb')).toThrow('of line 2 is not closed'))
  test('of a missing value', () => expect(lineOf('a\n\n{{ nothing.at.all }}')).toBe(3))
  test('of a filter that fails', () => expect(lineOf('a\n{{ 1 | sort }}\n')).toBe(2))
})

describe('limits', () => {
  test('endless recursion is a fault, not a crash', () => {
    expect(() => render('{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}')).toThrow('recurses too deeply')
  })
  test('a key of an input is not code: names of the prototype are not defined', () => {
    expect(
      render('{{ d.constructor is defined }}{{ d.__proto__ is defined }}{{ toString is defined }}{{ d.hasOwnProperty is defined }}'),
    ).toBe('FalseFalseFalseFalse')
  })
})
