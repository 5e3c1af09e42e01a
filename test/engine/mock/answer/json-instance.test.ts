import { expect, test } from 'bun:test'
import { jsonInstance } from '../../../../src/engine/mock/answer/json-instance.ts'

test.each([
  [{ type: 'object' }, {}],
  [{ type: 'object', properties: { a: { type: 'string' }, b: { type: 'integer' } }, required: ['a'] }, { a: 'text' }],
  [
    { properties: { a: {} }, required: ['a', 'b'] },
    { a: null, b: null },
  ],
  [{ type: 'array', items: { type: 'number' } }, []],
  [{ type: 'array', items: { type: 'number' }, minItems: 2 }, [0, 0]],
  [{ type: 'array', prefixItems: [{ type: 'string' }, { const: 5 }], minItems: 2 }, ['text', 5]],
  [{ enum: ['red', 'green'] }, 'red'],
  [{ type: 'string', minLength: 6 }, 'textaa'],
  [{ type: 'string', maxLength: 2 }, 'te'],
  [{ type: 'string', format: 'date' }, '2000-01-01'],
  [{ type: 'integer', minimum: 3 }, 3],
  [{ type: 'integer', exclusiveMinimum: 3, multipleOf: 4 }, 4],
  [{ type: 'integer', maximum: -2 }, -2],
  [{ type: 'number', exclusiveMinimum: 0, maximum: 0.25 }, 0.25],
  [{ type: ['string', 'null'] }, 'text'],
  [{ type: 'boolean' }, true],
  [true, null],
  [{ anyOf: [{ type: 'null' }, { type: 'string' }] }, null],
  [{ oneOf: [{ required: ['a'] }, { required: ['b'] }], type: 'object', properties: { a: { const: 1 } } }, { a: 1 }],
  [
    {
      allOf: [
        { properties: { a: { const: 1 } }, required: ['a'] },
        { properties: { b: { const: 2 } }, required: ['b'] },
      ],
    },
    { a: 1, b: 2 },
  ],
  [{ $ref: '#/$defs/leaf', $defs: { leaf: { const: 'leaf' } } }, 'leaf'],
  [{ type: 'object', properties: { next: { anyOf: [{ type: 'null' }, { $ref: '#' }] } }, required: ['next'] }, { next: null }],
  [{ $ref: '#/$defs/a~1b', $defs: { 'a/b': { const: 7 } } }, 7],
  [
    { type: 'object', minProperties: 2, properties: { a: { const: 1 } } },
    { a: 1, key0: null },
  ],
])('the smallest instance of %j', (schema, value) => {
  expect(jsonInstance(JSON.stringify(schema))).toEqual({ kind: 'value', value })
})

test.each([
  ['{', /JSON/],
  ['5', /a schema is an object or a boolean/],
  ['false', /allows nothing/],
  ['{"type":"objekt"}', /'objekt' is not a type/],
  ['{"enum":[]}', /at least one value/],
  ['{"$ref":"#/$defs/none"}', /points at nothing/],
  ['{"$ref":"http://example.com/schema"}', /into the same schema/],
  ['{"$ref":"#"}', /recursion without an end/],
  ['{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}', /recursion without an end/],
  ['{"type":"object","properties":[]}', /properties: must be an object/],
  ['{"type":"object","required":"a"}', /required: must be a list of names/],
  ['{"type":"string","pattern":"^a"}', /cannot follow 'pattern'/],
  ['{"type":"string","minLength":5,"maxLength":2}', /minLength is above maxLength/],
  ['{"type":"integer","minimum":5,"maximum":2}', /no number fits/],
])('%s is refused', (text, message) => {
  const made = jsonInstance(text)
  expect(made).toMatchObject({ kind: 'invalid', message: expect.stringMatching(message) })
})

test.each([
  ['items', { type: 'array', minItems: 1e9, items: true }],
  ['characters', { type: 'string', minLength: 1e9 }],
  ['members', { type: 'object', minProperties: 1e9 }],
  ['items of items', { type: 'array', minItems: 400, items: { type: 'array', minItems: 400 } }],
])('a schema whose smallest value has too many %s is refused at once', (_, schema) => {
  expect(jsonInstance(JSON.stringify(schema))).toMatchObject({ kind: 'invalid', message: expect.stringContaining('more than') })
})
