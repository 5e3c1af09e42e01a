// tool_choice required or by name: a grammar makes the calls, the answer has them in OpenAI's shape.
import { expect, test } from 'bun:test'
import { testApp } from '../helpers/fakes/app.ts'

const path = '/v1/chat/completions'
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { $ref: '#/$defs/city' } }, $defs: { city: { type: 'string' } } },
  },
}
const time = { type: 'function', function: { name: 'time' } }
const chat = (extra: object) => ({
  model: 'tiny',
  messages: [{ role: 'user', content: 'Hi' }],
  tools: [weather, time],
  tool_choice: 'required',
  ...extra,
})
const said = { pieces: ['[{"name": "weather", "para', 'meters": {"city": "Ulm"}}]'] }
const call = { id: expect.stringMatching(/^call_\w{24}$/), type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }

test('the grammar allows the tools; one whose parameters have references is a definition of its own', async () => {
  const app = testApp({ script: said })
  await app.post(path, chat({}))
  expect(JSON.parse(app.pipeline.requests[0]!.sampling.json_schema!)).toEqual({
    type: 'array',
    minItems: 1,
    items: {
      anyOf: [
        {
          type: 'object',
          properties: {
            name: { type: 'string', enum: ['weather'] },
            parameters: { $ref: '#/$defs/tool_0' },
          },
          required: ['name', 'parameters'],
        },
        {
          type: 'object',
          properties: { name: { type: 'string', enum: ['time'] }, parameters: { type: 'object', properties: {} } },
          required: ['name', 'parameters'],
        },
      ],
    },
    $defs: {
      tool_0: { type: 'object', properties: { city: { $ref: '#/$defs/tool_0/$defs/city' } }, $defs: { city: { type: 'string' } } },
    },
  })
})

test('references of any form lead where they led; what only looks like one stays', async () => {
  const parameters = {
    properties: {
      $ref: { $ref: '#/definitions/A' },
      self: { items: { $ref: '#' } },
      other: { $ref: 'https://example.com/s#/a' },
      text: { enum: [{ $ref: '#/x' }], default: { $ref: '#' } },
      enum: { anyOf: [{ $ref: '#/properties/self' }] },
    },
    definitions: { A: { type: 'string' } },
  }
  const app = testApp({ script: said })
  await app.post(path, chat({ tools: [{ type: 'function', function: { name: 'time', parameters } }] }))
  expect(JSON.parse(app.pipeline.requests[0]!.sampling.json_schema!).$defs.tool_0).toEqual({
    properties: {
      $ref: { $ref: '#/$defs/tool_0/definitions/A' },
      self: { items: { $ref: '#/$defs/tool_0' } },
      other: parameters.properties.other,
      text: parameters.properties.text,
      enum: { anyOf: [{ $ref: '#/$defs/tool_0/properties/self' }] },
    },
    definitions: parameters.definitions,
  })
})

test('arguments keep the numbers that the model wrote', async () => {
  const text = '[{"name": "weather", "parameters": {"city": 1234567890123456789, "at": 2.0, "far": 1e400}}]'
  const { body } = await testApp({ script: { pieces: [text] } }).post(path, chat({}))
  expect(body.choices[0].message.tool_calls[0].function.arguments).toBe('{"city":1234567890123456789,"at":2.0,"far":1e400}')
})

test('a named tool, and no parallel calls, allow one call', async () => {
  const app = testApp({ script: said })
  await app.post(path, chat({ tool_choice: { type: 'function', function: { name: 'time' } } }))
  await app.post(path, chat({ parallel_tool_calls: false }))
  const [named, single] = app.pipeline.requests.map((request) => JSON.parse(request.sampling.json_schema!))
  expect([named.maxItems, named.items.properties.name.enum, single.maxItems]).toEqual([1, ['time'], 1])
})

test('the answer has the calls', async () => {
  const { body } = await testApp({ script: said }).post(path, chat({}))
  expect(body.choices[0]).toMatchObject({ message: { content: null, tool_calls: [call] }, finish_reason: 'tool_calls' })
})

const args = (...all: [string, string][]) => all.map(([name, text]) => ({ type: 'function', function: { name, arguments: text } }))

test.each([
  ['[{"na', undefined],
  ['[{"name": "wea', undefined],
  ['[{"name": "weather", "para', args(['weather', ''])],
  ['[{"name": "weather", "parameters": {"city": "U}', args(['weather', '{"city": "U}'])],
  ['[{"name": "weather", "parameters": {"city": "Ulm"}}, {"name": "time"', args(['weather', '{"city":"Ulm"}'], ['time', ''])],
])('an answer cut by its length has the calls so far: %s', async (text, calls) => {
  const { body } = await testApp({ script: { pieces: [text], finish: { reason: 'length', matched: null } } }).post(path, chat({}))
  const [{ message, finish_reason }] = body.choices
  expect([message.content, finish_reason]).toEqual([calls === undefined ? '' : null, 'length'])
  if (calls === undefined) expect(message.tool_calls).toBeUndefined()
  else expect(message.tool_calls).toMatchObject(calls)
})

test('in a stream the calls come in one piece', async () => {
  const body = JSON.stringify(chat({ stream: true, stream_options: { include_usage: true } }))
  const response = await testApp({ script: said }).get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const events = (await response.text()).trim().split('\n\n')
  expect(events.pop()).toBe('data: [DONE]')
  const chunks = events.map((event) => JSON.parse(event.slice(6)))
  expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: null, tool_calls: [{ index: 0, ...call }] })
  expect(chunks[0].choices[0].finish_reason).toBeNull()
  expect(chunks[0].choices[0]).not.toHaveProperty('matched_stop')
  expect(chunks[1].choices[0]).toMatchObject({ finish_reason: 'tool_calls', matched_stop: null })
  expect(chunks.slice(0, 2).map(({ usage }) => usage)).toEqual([null, null])
  expect(chunks[2].usage.total_tokens).toBe(5)
})

test('another grammar beside it is refused', async () => {
  const { status, body } = await testApp().post(path, chat({ response_format: { type: 'json_object' } }))
  expect([status, body.error.param]).toEqual([400, 'tool_choice'])
})
