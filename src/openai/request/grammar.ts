// Constraints on the answer: the many names clients know for them, to the one grammar that SGLang takes.
import type { SamplingParams } from '../../engine/types.ts'
import { AppError } from '../../lib/errors.ts'
import { parseJson } from '../../lib/json-limits.ts'
import type { GenerationBody } from '../schema/common.ts'
import { invalid, missing } from './faults.ts'

type Grammar = Pick<SamplingParams, 'json_schema' | 'regex' | 'ebnf' | 'structural_tag'>
type Found = readonly [param: string, grammar: Grammar]

/** The one constraint of a request, if any, with the field that it stands in. Throws when there are two, or when one is malformed. */
export function grammarOf(body: GenerationBody): Found | undefined {
  const found: Found[] = []
  const add = (param: string, kind: keyof Grammar, value: string | undefined) => {
    if (value !== undefined && value !== '') found.push([param, { [kind]: value }])
  }
  const format = responseFormat(body)
  if (format !== undefined) found.push(format)
  if (body.json_schema != null) add('json_schema', 'json_schema', schemaText(body.json_schema, 'json_schema'))
  if (body.regex != null) add('regex', 'regex', body.regex)
  if (body.ebnf != null) add('ebnf', 'ebnf', body.ebnf)
  if (body.structural_tag != null) add('structural_tag', 'structural_tag', schemaText(body.structural_tag, 'structural_tag'))
  if (body.guided_json != null) add('guided_json', 'json_schema', schemaText(body.guided_json, 'guided_json'))
  if (body.guided_regex != null) add('guided_regex', 'regex', body.guided_regex)
  if (body.guided_grammar != null) add('guided_grammar', 'ebnf', body.guided_grammar)
  if (body.guided_choice != null) add('guided_choice', 'regex', anyOf(body.guided_choice))
  const outputs = body.structured_outputs
  if (outputs != null) {
    const name = (member: string) => `structured_outputs.${member}`
    if (outputs.json != null) add(name('json'), 'json_schema', schemaText(outputs.json, name('json')))
    if (outputs.json_object === true) add(name('json_object'), 'json_schema', ANY_OBJECT)
    if (outputs.regex != null) add(name('regex'), 'regex', outputs.regex)
    if (outputs.choice != null) add(name('choice'), 'regex', anyOf(outputs.choice))
    if (outputs.grammar != null) add(name('grammar'), 'ebnf', outputs.grammar)
    if (outputs.structural_tag != null)
      add(name('structural_tag'), 'structural_tag', schemaText(outputs.structural_tag, name('structural_tag')))
  }
  if (found.length > 1)
    throw new AppError('invalid_value', {
      message: `Only one constraint can hold an answer, but there are ${found.map(([param]) => `'${param}'`).join(' and ')}. Keep one.`,
      param: found[1]![0],
    })
  return found[0]
}

/** SGLang constrains `json_object` by this schema too. */
const ANY_OBJECT = '{"type": "object"}'

function responseFormat(body: GenerationBody): Found | undefined {
  const format = body.response_format
  if (format == null || format.type === 'text') return undefined
  if (format.type === 'json_object')
    return ['response_format', { json_schema: format.schema == null ? ANY_OBJECT : JSON.stringify(format.schema) }]
  if (format.type === 'structural_tag') return ['response_format', { structural_tag: JSON.stringify(format) }]
  const schema = format.json_schema.schema
  if (schema == null) throw missing('response_format.json_schema.schema')
  return ['response_format', { json_schema: JSON.stringify(schema) }]
}

/** A schema given as an object or as its JSON text. */
function schemaText(value: string | Record<string, unknown>, param: string): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  if (value === '') return value
  try {
    parseJson(value, { whole: `'${param}'`, param })
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw invalid(param, `the text is not JSON (${(cause as Error).message})`)
  }
  return value
}

/** A regular expression for exactly one of `choices`. */
function anyOf(choices: readonly string[]): string {
  return `(${choices.map((choice) => choice.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|')})`
}
