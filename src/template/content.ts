// What a template wants its messages to look like, read from its parsed form, and messages brought into that form. Pure.
import { AppError } from '../lib/errors.ts'
import type { Expr, Stmt } from './jinja/parse/ast.ts'
import { flatten, type Seen } from './jinja/parse/walk.ts'

export interface Wishes {
  /** 'parts': the template walks over content parts; 'string': it wants one text. */
  content: 'string' | 'parts'
  /** 'object': tool_calls[].function.arguments is read as a mapping; 'string': it is printed as the model wrote it. */
  arguments: 'object' | 'string'
  /** The template asks whether content is none (DeepSeek-R1 tells tool calls by it); else a missing content becomes ''. */
  nullContent: boolean
  /** The template knows the role `developer`; else such messages become `system`. */
  developer: boolean
}

type Message = Record<string, unknown>

const mediaWords = ['image', 'audio', 'video', 'vision']

/** What the template's source shows. Templates for media always get parts, as SGLang decides. */
export function wishesOf(source: string, body: readonly Stmt[]): Wishes {
  const all = flatten(body)
  return {
    content: mediaWords.some((word) => source.includes(word)) || walksContent(all) ? 'parts' : 'string',
    arguments: wantsText(all) ? 'string' : 'object',
    nullContent: asksForNone(all),
    developer: source.includes('developer'),
  }
}

const fieldOf = (expr: Expr): string | undefined => {
  if (expr.t === 'attr') return expr.name
  return expr.t === 'item' && expr.key.t === 'const' && typeof expr.key.value === 'string' ? expr.key.value : undefined
}

/** The expression under filters, tests and slices. */
function bare(expr: Expr): Expr {
  if ((expr.t === 'filter' && expr.of !== null) || expr.t === 'test' || expr.t === 'slice') return bare(expr.of!)
  return expr
}

/** Names that hold `something.field`: set from it, or a macro's parameter that is called with it. */
function aliases(all: readonly Seen[], field: string): Set<string> {
  const names = new Set<string>()
  const macros = new Map<string, readonly string[]>()
  for (const { stmt } of all)
    if (stmt.t === 'macro')
      macros.set(
        stmt.name,
        stmt.params.map((param) => param.name),
      )
  const holds = (expr: Expr) => {
    const inner = bare(expr)
    return fieldOf(inner) === field || (inner.t === 'name' && names.has(inner.name))
  }
  for (const { stmt, exprs } of all) {
    if (stmt.t === 'set' && stmt.target.t === 'name' && holds(stmt.value)) names.add(stmt.target.name)
    for (const expr of exprs) {
      if (expr.t !== 'call' || expr.of.t !== 'name') continue
      const params = macros.get(expr.of.name)
      for (const [i, value] of expr.args.positional.entries()) if (params?.[i] !== undefined && holds(value)) names.add(params[i])
    }
  }
  return names
}

function walksContent(all: readonly Seen[]): boolean {
  const names = aliases(all, 'content')
  for (const { stmt } of all) {
    if (stmt.t !== 'for') continue
    const over = bare(stmt.iter)
    if (fieldOf(over) === 'content') return true
    // Older templates keep other lists in content (Mistral's tool calls); under another name it counts when its items are read as parts.
    if (over.t === 'name' && names.has(over.name) && readsParts(stmt)) return true
  }
  return false
}

function readsParts(loop: Stmt & { t: 'for' }): boolean {
  const isItem = (expr: Expr) => expr.t === 'name' && loop.target.t === 'name' && expr.name === loop.target.name
  const isPart = (expr: Expr) =>
    (expr.t === 'attr' || expr.t === 'item') && isItem(expr.of) && ['type', 'text'].includes(fieldOf(expr) ?? '')
  return flatten(loop.body).some(({ exprs }) => exprs.some(isPart))
}

function asksForNone(all: readonly Seen[]): boolean {
  const names = aliases(all, 'content')
  for (const { exprs } of all)
    for (const expr of exprs)
      if (
        expr.t === 'test' &&
        expr.name === 'none' &&
        (fieldOf(expr.of) === 'content' || (expr.of.t === 'name' && names.has(expr.of.name)))
      )
        return true
  return false
}

/** True when `arguments` is printed or joined to text as it is, and nowhere read as a mapping. */
function wantsText(all: readonly Seen[]): boolean {
  const names = aliases(all, 'arguments')
  const isArguments = (expr: Expr) => fieldOf(expr) === 'arguments' || (expr.t === 'name' && names.has(expr.name))
  let printed = false
  for (const { stmt, exprs } of all) {
    if (stmt.t === 'for' && isArguments(bare(stmt.iter))) return false
    if (stmt.t === 'print' && isArguments(stmt.value)) printed = true
    for (const expr of exprs) {
      if (expr.t === 'filter' && expr.of !== null && isArguments(expr.of) && ['tojson', 'items', 'dictsort'].includes(expr.name))
        return false
      if (expr.t === 'test' && isArguments(expr.of) && ['mapping', 'string'].includes(expr.name)) return false
      if ((expr.t === 'attr' || expr.t === 'item') && isArguments(expr.of)) return false
      if (expr.t === 'math' && (isArguments(expr.left) || isArguments(expr.right))) printed = true
      if (expr.t === 'concat' && expr.parts.some(isArguments)) printed = true
    }
  }
  return printed
}

/** The messages as the template wants them. Unchanged messages are passed on, not copied. Throws `invalid_value` for arguments that are no JSON object. */
export function shapeMessages(messages: readonly Message[], wishes: Wishes, pictureMark?: string): Message[] {
  return messages.map((message, at) => shapeMessage(message, at, wishes, pictureMark))
}

function shapeMessage(message: Message, at: number, wishes: Wishes, pictureMark: string | undefined): Message {
  const changes: Message = {}
  if (message.role === 'developer' && !wishes.developer) changes.role = 'system'
  if (message.content === undefined || message.content === null) changes.content = wishes.nullContent ? null : ''
  else if (Array.isArray(message.content))
    changes.content = wishes.content === 'parts' ? shapeParts(message.content) : joinText(message.content, pictureMark)
  if (Array.isArray(message.tool_calls))
    changes.tool_calls = message.tool_calls.map((call, i) => shapeCall(call, `messages[${at}].tool_calls[${i}]`, wishes))
  for (const key in message) if (message[key] === null && key !== 'content') return withoutNulls({ ...message, ...changes })
  for (const _ in changes) return { ...message, ...changes }
  return message
}

/** An absent field is not defined for the template; a null one would be None. Clients mean absent. */
function withoutNulls(message: Message): Message {
  return Object.fromEntries(Object.entries(message).filter(([key, value]) => value !== null || key === 'content'))
}

const isText = (part: unknown): part is { text: string } => {
  const type = (part as Message | null)?.type
  return (type === 'text' || type === 'input_text') && typeof (part as Message).text === 'string'
}

/** Text parts with a blank between, as SGLang joins them; pictures, where they have a name, by it and a line end. */
function joinText(parts: readonly unknown[], pictureMark: string | undefined): string {
  let joined = ''
  let afterText = false
  for (const part of parts) {
    if (isText(part)) joined += afterText ? ` ${part.text}` : part.text
    else if (pictureMark !== undefined && isPicture(part)) joined += `${pictureMark}\n`
    else continue
    afterText = isText(part)
  }
  return joined
}

const mediaTypes: Record<string, string> = {
  image_url: 'image',
  input_image: 'image',
  video_url: 'video',
  video: 'video',
  audio_url: 'audio',
  input_audio: 'audio',
}

const isPicture = (part: unknown) => mediaTypes[String((part as Message | null)?.type)] === 'image'

/** OpenAI's part types to the ones that templates ask for. */
function shapeParts(parts: readonly unknown[]): unknown[] {
  return parts.map((part) => {
    if (isText(part)) return { type: 'text', text: part.text }
    const type = mediaTypes[String((part as Message | null)?.type)]
    // Qwen2-Audio's older template looks for the key, not the type.
    return type === undefined ? part : type === 'audio' ? { type, audio: '' } : { type }
  })
}

function shapeCall(call: unknown, where: string, wishes: Wishes): unknown {
  const { function: called } = (call ?? {}) as { function?: Message }
  const given = called?.arguments
  if (wishes.arguments === 'object' && typeof given === 'string')
    return { ...(call as Message), function: { ...called, arguments: parseArguments(given, where) } }
  if (wishes.arguments === 'string' && typeof given === 'object' && given !== null)
    return { ...(call as Message), function: { ...called, arguments: JSON.stringify(given) } }
  return call
}

function parseArguments(text: string, where: string): unknown {
  const param = `${where}.function.arguments`
  let parsed: unknown
  try {
    // Clients send an empty text for a call without arguments.
    parsed = text.trim() === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid_value', { message: `${param} must be valid JSON.`, param, cause })
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  throw new AppError('invalid_value', { message: `${param} must be a JSON object.`, param })
}
