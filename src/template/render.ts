// A chat template made ready: compiled once, then render() is apply_chat_template(tokenize=False) of transformers.
import { AppError } from '../lib/errors.ts'
import { withNumbers } from '../lib/exact-json.ts'
import { shapeMessages, type Wishes, wishesOf } from './content.ts'
import { type Compiled, compileTemplate } from './jinja/compile.ts'
import { TemplateFault } from './jinja/fault.ts'
import { makeGlobals } from './jinja/library/globals.ts'
import { strip, stripEnd } from './jinja/library/text.ts'
import { numberOf } from './jinja/values.ts'
import type { ChatTemplate, TemplateInput } from './template.ts'

export interface TemplateSet {
  /** Template sources by name; `default`, and `tool_use` for requests with tools, as transformers names them. */
  templates: Record<string, string>
  /** bos_token, eos_token, … as the template reads them. */
  specialTokens: Record<string, string>
  /** The clock of strftime_now. */
  now?: () => Date
  /** Render the messages as they are given, as transformers does; else they are brought into the form that the template wants. */
  exact?: boolean
}

interface Ready {
  source: string
  compiled: Compiled
  /** Null: messages are taken as they are. */
  wishes: Wishes | null
}

/** Appended to the message to continue, to find where it ends in the rendered text. */
const continueMark = 'CONTINUE_FINAL_MESSAGE_TAG '

/** Compiles every template of the set. Throws AppError `model_files_invalid` that names the template, the line and the fault. */
export function makeChatTemplate(set: TemplateSet, describe: (name: string) => string = (name) => `chat template '${name}'`): ChatTemplate {
  const ready = new Map(Object.entries(set.templates).map(([name, source]) => [name, prepare(source, describe(name), set.exact === true)]))
  const globals = { ...makeGlobals(set.now), ...set.specialTokens }
  const id = new Bun.CryptoHasher('sha256').update(Object.values(set.templates).join('\0')).digest('hex').slice(0, 12)
  const choose = (input: TemplateInput): Ready => {
    const chosen = (input.tools?.length ? ready.get('tool_use') : undefined) ?? ready.get('default')
    if (chosen) return chosen
    throw new AppError('invalid_template', {
      message: `This model has several chat templates (${[...ready.keys()].join(', ')}) and none is the default; start with --custom-jinja-template.`,
    })
  }
  return { id, render: (input) => render(choose(input), input, globals) }
}

function prepare(source: string, what: string, exact: boolean): Ready {
  try {
    const compiled = compileTemplate(source)
    return { source, compiled, wishes: exact ? null : wishesOf(source, compiled.body) }
  } catch (cause) {
    if (!(cause instanceof TemplateFault)) throw cause
    throw new AppError('model_files_invalid', { message: `The ${what} cannot be used: line ${cause.line}: ${cause.message}`, cause })
  }
}

function render({ source, compiled, wishes }: Ready, input: TemplateInput, globals: Record<string, unknown>): string {
  let messages = wishes ? shapeMessages(input.messages, wishes, input.pictureMark) : input.messages
  const resumed = input.continueFinalMessage === true
  const final = resumed ? markFinal(messages, source) : undefined
  if (final) messages = final.messages
  const inputs = {
    documents: null,
    ...input.variables,
    messages,
    tools: input.tools?.length ? withNumbers(input.tools, numberOf) : null,
    add_generation_prompt: input.addGenerationPrompt && !resumed,
  }
  const text = attempt(() => compiled.render(inputs, globals))
  return final ? cutAtMark(text, final.text) : text
}

function attempt(run: () => string): string {
  try {
    return run()
  } catch (cause) {
    if (!(cause instanceof TemplateFault)) throw cause
    const message = cause.raised
      ? cause.message
      : `The chat template cannot render these messages: ${cause.message} (template line ${cause.line})`
    throw new AppError('invalid_template', { message, param: 'messages', cause })
  }
}

/** The messages with the mark after the last text of the last message, and that text. */
function markFinal(messages: readonly Record<string, unknown>[], source: string): { messages: Record<string, unknown>[]; text: string } {
  const last = messages.at(-1)
  const content = last?.content
  if (last === undefined || !source.includes('content')) throw cannotContinue('the chat template shows no content to continue')
  const marked = (changed: unknown) => [...messages.slice(0, -1), { ...last, content: changed }]
  if (typeof content === 'string') return { messages: marked(content + continueMark), text: content }
  const parts = Array.isArray(content) ? content : []
  const at = parts.findLastIndex((part) => typeof part?.text === 'string')
  if (at === -1) throw cannotContinue('the last message has no text to continue')
  const changed = parts.with(at, { ...parts[at], text: parts[at].text + continueMark })
  return { messages: marked(changed), text: parts[at].text }
}

function cutAtMark(rendered: string, text: string): string {
  const at = rendered.lastIndexOf(continueMark.trim())
  if (at === -1 || !rendered.includes(strip(text))) throw cannotContinue('the chat template drops parts of the last message')
  const head = rendered.slice(0, at)
  // Without the mark's blank the template has trimmed the message: its own trailing blanks go as well.
  return rendered.startsWith(continueMark, at) ? head : stripEnd(head)
}

const cannotContinue = (why: string) =>
  new AppError('invalid_template', { message: `continue_final_message cannot be used here: ${why}.`, param: 'continue_final_message' })
