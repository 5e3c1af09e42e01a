// What each kind of template wants of its messages, and the messages brought into that form.
import { describe, expect, test } from 'bun:test'
import { shapeMessages, type Wishes, wishesOf } from '../../src/template/content.ts'
import { compileTemplate } from '../../src/template/jinja/compile.ts'

const wishes = (source: string) => wishesOf(source, compileTemplate(source).body)
const plain: Wishes = { content: 'string', arguments: 'object', nullContent: false, developer: false }
const text = (value: string) => ({ type: 'text', text: value })

describe('a template wants content as', () => {
  test.each([
    ['string', "{% for message in messages %}{{ message['content'] }}{% endfor %}"],
    ['parts', "{% for message in messages %}{% for part in message['content'] %}{{ part.text }}{% endfor %}{% endfor %}"],
    ['parts', '{% for m in messages %}{% set content = m.content %}{% for p in content | reverse %}{{ p.text }}{% endfor %}{% endfor %}'],
    [
      'parts',
      '{% macro show(c) %}{% for p in c %}{{ p.text }}{% endfor %}{% endmacro %}{% for m in messages %}{{ show(m.content) }}{% endfor %}',
    ],
    ['parts', "{% for m in messages %}{{ '<image>' if m.image }}{% endfor %}"],
    [
      'string',
      '{% for m in messages %}{% set calls = m.content %}{% for call in calls %}{{ call.function }}{% endfor %}{{ m.content }}{% endfor %}',
    ],
    ['string', '{% for m in messages %}{% for call in m.tool_calls %}{{ call.name }}{% endfor %}{{ m.content }}{% endfor %}'],
  ] as const)('%s: %s', (wanted, source) => expect(wishes(source).content).toBe(wanted))
})

describe('a template wants tool arguments as', () => {
  test.each([
    ['object', '{{ call.arguments | tojson }}'],
    ['object', '{% for k, v in call.arguments.items() %}{{ k }}{% endfor %}'],
    ['object', "{% set a = call['arguments'] %}{% for k, v in a | items %}{{ k }}{% endfor %}"],
    ['object', '{% if call.arguments is string %}{{ call.arguments }}{% else %}{{ call.arguments | tojson }}{% endif %}'],
    ['string', "{{ 'json\\n' + call['function']['arguments'] + '\\n' }}"],
    ['string', '{{ call.arguments }}'],
    ['object', '{{ messages[0].content }}'],
  ] as const)('%s: %s', (wanted, source) => expect(wishes(source).arguments).toBe(wanted))
})

describe('content', () => {
  test('parts become one text for a template of texts', () => {
    const parts = [text('a'), { type: 'image_url', image_url: { url: 'data:,' } }, { type: 'input_text', text: 'b' }]
    expect(shapeMessages([{ role: 'user', content: parts }], plain)).toEqual([{ role: 'user', content: 'a b' }])
  })
  test('parts keep their order, under the names that templates know', () => {
    const parts = [
      { type: 'image_url', image_url: { url: 'data:,' } },
      { type: 'input_text', text: 'b' },
    ]
    const [message] = shapeMessages([{ role: 'user', content: parts }], { ...plain, content: 'parts' })
    expect(message!.content).toEqual([{ type: 'image' }, text('b')])
  })
  test('null becomes an empty text, unless the template asks for none', () => {
    const call = { role: 'assistant', content: null, name: null }
    expect(shapeMessages([call], plain)).toEqual([{ role: 'assistant', content: '' }])
    expect(wishes("{% if message['content'] is none %}x{% endif %}").nullContent).toBe(true)
    expect(shapeMessages([call], { ...plain, nullContent: true })).toEqual([{ role: 'assistant', content: null }])
  })
  test('a plain message is passed on as it is', () => {
    const message = { role: 'user', content: 'x' }
    expect(shapeMessages([message], plain)[0]).toBe(message)
  })
})

describe('roles', () => {
  test('developer becomes system where the template does not know it', () => {
    expect(shapeMessages([{ role: 'developer', content: 'x' }], plain)[0]!.role).toBe('system')
    expect(shapeMessages([{ role: 'developer', content: 'x' }], { ...plain, developer: true })[0]!.role).toBe('developer')
  })
  test('tool stays tool', () => {
    const result = { role: 'tool', content: 'x', tool_call_id: '1' }
    expect(shapeMessages([result], plain)).toEqual([result])
  })
})

describe('tool calls', () => {
  const called = (given: unknown) => [
    { role: 'assistant', content: '', tool_calls: [{ id: '1', function: { name: 'f', arguments: given } }] },
  ]
  const shaped = (given: unknown, wanted: Wishes = plain) =>
    (shapeMessages(called(given), wanted)[0]!.tool_calls as { function: { arguments: unknown } }[])[0]!.function.arguments

  test('the text of the arguments becomes a mapping', () => expect(shaped('{"a": [1, null]}')).toEqual({ a: [1, null] }))
  test('no text is no arguments', () => expect(shaped('')).toEqual({}))
  test('a template of texts gets them as the model wrote them', () =>
    expect(shaped('{"a":1}', { ...plain, arguments: 'string' })).toBe('{"a":1}'))
  test('the client’s object is not changed', () => {
    const messages = called('{"a": 1}')
    shapeMessages(messages, plain)
    expect(messages).toEqual(called('{"a": 1}'))
  })
  test.each(['{"a":', '[1]', '3'])('%s is refused with its place', (given) => {
    expect(() => shaped(given)).toThrow('messages[0].tool_calls[0].function.arguments must be')
  })
})

describe('pictures for a template that knows texts alone', () => {
  const parts = [text('a'), { type: 'image_url', image_url: { url: 'x' } }, text('b'), text('c')]
  test('by their name, where the model writes them as text', () => {
    expect(shapeMessages([{ role: 'user', content: parts }], plain, '<image>')).toEqual([{ role: 'user', content: 'a<image>\nb c' }])
  })
  test('not at all where they have no name: whoever counts them refuses the request', () => {
    expect(shapeMessages([{ role: 'user', content: parts }], plain)).toEqual([{ role: 'user', content: 'a b c' }])
  })
})
