// Where a model's template comes from, and what happens when there is none or a broken one.
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadChatTemplate } from '../../src/template/load.ts'
import { makeChatTemplate } from '../../src/template/render.ts'

const made: string[] = []
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true })
})

function model(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), 'template-'))
  made.push(folder)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

const hello = { messages: [{ role: 'user', content: 'hi' }], addGenerationPrompt: true }
const tool = { type: 'function', function: { name: 'f' } }
const rendered = async (files: Record<string, unknown>, tools?: unknown[]) =>
  (await loadChatTemplate(model(files))).render({ ...hello, tools })

describe('sources, in transformers’ order', () => {
  const config = { chat_template: 'from config' }
  test('tokenizer_config.json', async () => expect(await rendered({ 'tokenizer_config.json': config })).toBe('from config'))
  test('chat_template.jinja wins over it', async () =>
    expect(await rendered({ 'tokenizer_config.json': config, 'chat_template.jinja': 'from file' })).toBe('from file'))
  test('chat_template.json comes last', async () => {
    expect(await rendered({ 'chat_template.json': { chat_template: 'processor' } })).toBe('processor')
    expect(await rendered({ 'tokenizer_config.json': config, 'chat_template.json': { chat_template: 'processor' } })).toBe('from config')
  })
  test('a named list: tool_use for requests with tools', async () => {
    const list = {
      chat_template: [
        { name: 'default', template: 'plain' },
        { name: 'tool_use', template: '{{ tools | length }}' },
      ],
    }
    expect(await rendered({ 'tokenizer_config.json': list })).toBe('plain')
    expect(await rendered({ 'tokenizer_config.json': list }, [])).toBe('plain')
    expect(await rendered({ 'tokenizer_config.json': list }, [tool])).toBe('1')
  })
  test('additional_chat_templates', async () => {
    const files = { 'chat_template.jinja': 'plain', 'additional_chat_templates/tool_use.jinja': 'with tools' }
    expect(await rendered(files)).toBe('plain')
    expect(await rendered(files, [tool])).toBe('with tools')
  })
})

test('special tokens: a text, an object, and none', async () => {
  const tokens = { bos_token: '<s>', eos_token: { content: '</s>', lstrip: false }, pad_token: null }
  const template = '{{ bos_token }}|{{ eos_token }}|{{ pad_token is defined }}|{{ unk_token is defined }}'
  expect(await rendered({ 'tokenizer_config.json': { ...tokens, chat_template: template } })).toBe('<s>|</s>|False|False')
})

describe('--custom-jinja-template', () => {
  const load = (customPath: string) =>
    loadChatTemplate(model({ 'tokenizer_config.json': { bos_token: '<s>', chat_template: 'no' } }), { customPath })
  test('replaces the model’s', async () =>
    expect((await load(join(model({ 'x.jinja': '{{ bos_token }}own' }), 'x.jinja'))).render(hello)).toBe('<s>own'))
  test('a missing file is told by name', async () => {
    expect(load('/nowhere/x.jinja')).rejects.toMatchObject({ code: 'invalid_setting', param: '--custom-jinja-template' })
  })
  test('a broken file is told with the line', async () => {
    expect(load(join(model({ 'x.jinja': 'a\n{% if %}' }), 'x.jinja'))).rejects.toThrow(/x\.jinja cannot be used: line 2: /)
  })
})

test('a model without a template refuses chats clearly', async () => {
  const template = await loadChatTemplate(model({}))
  expect(template.id).toBe('none')
  expect(() => template.render(hello)).toThrow(/has no chat template.*--custom-jinja-template/)
})

test('broken model files are told by name', async () => {
  expect(loadChatTemplate(model({ 'tokenizer_config.json': '{"a": ' }))).rejects.toThrow(/tokenizer_config\.json is not valid JSON/)
  expect(loadChatTemplate(model({ 'chat_template.jinja': '{{ x | nothere }}' }))).rejects.toThrow(/line 1: No filter named 'nothere'/)
})

describe('rendering', () => {
  const template = (source: string) => makeChatTemplate({ templates: { default: source }, specialTokens: { bos_token: '<s>' } })
  const failing = (source: string) => {
    try {
      template(source).render(hello)
    } catch (error) {
      return error
    }
  }
  test('the template’s own refusal is a 400 in its words', () => {
    expect(failing("{{ raise_exception('Only poems.') }}")).toMatchObject({ code: 'invalid_template', status: 400, message: 'Only poems.' })
  })
  test('any other failure is a 400 that names the line', () => {
    expect(failing('a\n{{ messages[3].role }}')).toMatchObject({
      code: 'invalid_template',
      message: expect.stringMatching(/list object has no element 3 \(template line 2\)/),
    })
  })
  test('chat_template_kwargs are variables, but cannot replace the messages', () => {
    const input = { ...hello, variables: { flag: 'on', messages: [], tools: 1, bos_token: '' } }
    expect(template('{{ flag }} {{ messages | length }} {{ tools }} [{{ bos_token }}]').render(input)).toBe('on 1 None []')
  })
  test('the same source has the same id', () => {
    expect(template('a').id).toMatch(/^[0-9a-f]{12}$/)
    expect(template('a').id).toBe(template('a').id)
    expect(template('a').id).not.toBe(template('b').id)
  })
})

describe('continue_final_message', () => {
  const source = '{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}'
  const resume = (content: unknown, custom = source) =>
    makeChatTemplate({ templates: { default: custom }, specialTokens: {} }).render({
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content },
      ],
      addGenerationPrompt: true,
      continueFinalMessage: true,
    })
  test('ends where the last message ends, blanks kept', () => expect(resume('One, ')).toBe('<user>q</><assistant>One, '))
  test('a template that trims keeps its trim', () =>
    expect(resume('One, ', source.replace('m.content', 'm.content | trim'))).toBe('<user>q</><assistant>One,'))
  test('parts: the last text is continued', () => expect(resume([{ type: 'text', text: 'One' }])).toBe('<user>q</><assistant>One'))
  test('a template that drops the message is refused', () => {
    expect(() => resume('x', '{% if messages[0].content %}fixed{% endif %}')).toThrow('continue_final_message cannot be used here')
  })
})
