// A tool call that the client insists on (tool_choice required, or one by name): a grammar makes the answer a JSON list of calls, read back
// here. Needs no parser of the model's own format, because the grammar decides the format. In a stream the calls come in one piece.
import { parseExact } from '../lib/exact-json.ts'
import { newId } from '../lib/ids.ts'
import type { Pipeline, TextRequest } from '../pipeline/types.ts'
import { gather } from './answer/gather.ts'
import { chatLogprobs } from './answer/logprobs.ts'
import { placeHeaders } from './answer/place.ts'
import { sumUsage, usageBody } from './answer/usage.ts'
import type { Endpoint } from './generate.ts'
import type { ChatBody } from './schema/chat.ts'
import type { StreamOptions } from './stream/text.ts'

type Tool = NonNullable<ChatBody['tools']>[number]
type Schema = Record<string, unknown>

/** True when the answer must be tool calls; the body's tools were checked before. */
export function forcesTools(body: ChatBody): boolean {
  return body.tool_choice != null && body.tool_choice !== 'auto' && body.tool_choice !== 'none'
}

/** The JSON schema of a list of calls, as text. */
export function callsSchema(body: ChatBody): string {
  const choice = body.tool_choice
  const only = typeof choice === 'object' && choice !== null ? choice.function.name : undefined
  const tools = body.tools!.filter((tool) => only === undefined || tool.function.name === only)
  const defs: Record<string, unknown> = {}
  const calls = tools.map((tool, index) => callSchema(tool, `tool_${index}`, defs))
  const schema: Schema = { type: 'array', minItems: 1, items: calls.length === 1 ? calls[0] : { anyOf: calls } }
  if (only !== undefined || body.parallel_tool_calls === false) schema.maxItems = 1
  if (Object.keys(defs).length > 0) schema.$defs = defs
  return JSON.stringify(schema)
}

/** References inside a tool's parameters start at their root, which is not that of the list: such parameters become the definition `key`. */
function callSchema({ function: { name, parameters } }: Tool, key: string, defs: Record<string, unknown>): Schema {
  let own: unknown = parameters ?? { type: 'object', properties: {} }
  const root = `#/$defs/${key}`
  const moved = rerooted(own, root)
  if (moved !== own) {
    defs[key] = moved
    own = { $ref: root }
  }
  return { type: 'object', properties: { name: { type: 'string', enum: [name] }, parameters: own }, required: ['name', 'parameters'] }
}

/** Keywords whose values are no schemas, and those whose members are named by the user. */
const values = new Set(['enum', 'const', 'default', 'examples'])
const named = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])

/** `schema` with its local references (`#`, `#/$defs/A`) below `root`; the same object when it has none. */
function rerooted(schema: unknown, root: string, names = false): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  let changed = false
  const inside = (key: string, value: unknown) => {
    const made = names || !values.has(key) ? rerootedMember(key, value, root, names) : value
    changed ||= made !== value
    return made
  }
  const made = Array.isArray(schema)
    ? schema.map((item) => inside('', item))
    : Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, inside(key, value)]))
  return changed ? made : schema
}

function rerootedMember(key: string, value: unknown, root: string, names: boolean): unknown {
  if (!names && key === '$ref' && typeof value === 'string' && /^#(?:\/|$)/.test(value)) return root + value.slice(1)
  return rerooted(value, root, !names && named.has(key))
}

/** The calls in an answer, and whether it was whole. A cut one has the calls whose names are known, the last with the arguments so far. */
function callsOf(text: string): { whole: boolean; calls: Call[] } {
  try {
    const list = parseExact(text) as { name: string; parameters?: unknown }[]
    return { whole: true, calls: list.map(({ name, parameters }) => newCall(name, JSON.stringify(parameters ?? {}))) }
  } catch {
    return { whole: false, calls: cutCalls(text) }
  }
}

interface Call {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

const newCall = (name: string, args: string): Call => ({
  id: `call_${newId().slice(0, 24)}`,
  type: 'function',
  function: { name, arguments: args },
})

/** The objects of a JSON list that ends anywhere: each is read whole, or as far as it goes. */
function cutCalls(text: string): Call[] {
  const calls: Call[] = []
  for (const piece of objectsOf(text)) {
    try {
      const { name, parameters } = parseExact(piece) as { name: string; parameters?: unknown }
      calls.push(newCall(name, JSON.stringify(parameters ?? {})))
    } catch {
      // The grammar keeps the order: the name, then the parameters.
      const [, name, args = ''] = /^\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*(?:,\s*"parameters"\s*:\s*(.*))?/s.exec(piece) ?? []
      if (name !== undefined) calls.push(newCall(JSON.parse(name) as string, args))
    }
  }
  return calls
}

/** The outermost objects in `text`; the last may lack its end. */
function objectsOf(text: string): string[] {
  const found: string[] = []
  let [start, depth, quoted] = [0, 0, false]
  for (let at = 0; at < text.length; at++) {
    const c = text[at]
    if (quoted) {
      if (c === '\\') at++
      else if (c === '"') quoted = false
    } else if (c === '"') quoted = true
    else if (c === '{' && depth++ === 0) start = at
    else if (c === '}' && --depth === 0) found.push(text.slice(start, at + 1))
  }
  return depth > 0 ? [...found, text.slice(start)] : found
}

export const forcedEndpoint: Endpoint = {
  idPrefix: 'chatcmpl-',
  object: 'chat.completion',
  stream: streamCalls,
  choice({ text, logprobs, finish }) {
    const { whole, calls } = callsOf(text)
    const message = calls.length > 0 ? { content: null, refusal: null, tool_calls: calls } : { content: '', refusal: null }
    return {
      message: { role: 'assistant', ...message },
      logprobs: logprobs === undefined ? null : chatLogprobs(logprobs),
      finish_reason: whole ? 'tool_calls' : (finish?.reason ?? null),
      matched_stop: finish?.matched ?? null,
    }
  },
}

async function streamCalls(
  requests: readonly TextRequest[],
  pipeline: Pipeline,
  options: StreamOptions,
  signal: AbortSignal,
): Promise<Response> {
  const gathered = await gather(requests, pipeline, signal)
  const { answer, choices } = gathered[0]!
  const usage = sumUsage(gathered.map((one) => one.usage))
  const head = { id: options.id, object: 'chat.completion.chunk', created: options.createdSecs, model: options.model }
  const events: string[] = []
  const push = (list: unknown[], more: object = {}) => events.push(`data: ${JSON.stringify({ ...head, choices: list, ...more })}\n\n`)
  const untold = options.includeUsage ? { usage: null } : {}
  for (const [index, choice] of choices.entries()) {
    const { message, logprobs, ...finish } = forcedEndpoint.choice(choice) as {
      message: { content: string | null; tool_calls?: object[] }
      logprobs: object | null
    }
    const delta = message.tool_calls
      ? { role: 'assistant', content: null, tool_calls: message.tool_calls.map((call, at) => ({ index: at, ...call })) }
      : { role: 'assistant', content: message.content }
    push([{ index, delta, logprobs, finish_reason: null }], untold)
    push([{ index, delta: {}, logprobs: null, ...finish }], untold)
  }
  if (options.includeUsage) push([], { usage: usageBody(usage) })
  const extras =
    options.extras?.(
      answer,
      choices.flatMap((choice) => choice.finish ?? []),
    ) ?? ''
  if (extras !== '') push([], JSON.parse(`{${extras}}`))
  options.outcome({ workerId: answer.workerId, usage })
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...placeHeaders(answer) }
  return new Response(`${events.join('')}data: [DONE]\n\n`, { headers })
}
