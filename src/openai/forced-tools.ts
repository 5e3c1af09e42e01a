// A tool call that the client insists on (tool_choice required, or one by name): a grammar makes the answer a JSON list of calls, read back
// here. Needs no parser of the model's own format, because the grammar decides the format. In a stream the calls come in one piece.
import { newId } from '../lib/ids.ts'
import type { Pipeline, TextRequest } from '../pipeline/types.ts'
import { gather } from './answer/gather.ts'
import { chatLogprobs } from './answer/logprobs.ts'
import { placeHeaders } from './answer/place.ts'
import { sumUsage, usageBody } from './answer/usage.ts'
import type { Endpoint } from './generate.ts'
import { invalid } from './request/faults.ts'
import type { ChatBody } from './schema/chat.ts'
import type { StreamOptions } from './stream/text.ts'

type Tool = NonNullable<ChatBody['tools']>[number]
type Schema = Record<string, unknown>

/** True when the answer must be tool calls; the body's tools were checked before. */
export function forcesTools(body: ChatBody): boolean {
  return body.tool_choice != null && body.tool_choice !== 'auto' && body.tool_choice !== 'none'
}

/** The JSON schema of a list of calls, as text. Throws `invalid_value` when two tools define the same `$defs` name differently. */
export function callsSchema(body: ChatBody): string {
  const choice = body.tool_choice
  const only = typeof choice === 'object' && choice !== null ? choice.function.name : undefined
  const tools = body.tools!.filter((tool) => only === undefined || tool.function.name === only)
  const defs: Record<string, unknown> = {}
  const calls = tools.map((tool, index) => callSchema(tool, index, defs))
  const schema: Schema = { type: 'array', minItems: 1, items: calls.length === 1 ? calls[0] : { anyOf: calls } }
  if (only !== undefined || body.parallel_tool_calls === false) schema.maxItems = 1
  if (Object.keys(defs).length > 0) schema.$defs = defs
  return JSON.stringify(schema)
}

/** References inside a tool's parameters start at the root, so its definitions move there. */
function callSchema({ function: { name, parameters } }: Tool, index: number, defs: Record<string, unknown>): Schema {
  const { $defs, ...own } = parameters ?? { type: 'object', properties: {} }
  for (const [key, value] of Object.entries(($defs as Schema | undefined) ?? {})) {
    if (defs[key] !== undefined && JSON.stringify(defs[key]) !== JSON.stringify(value))
      throw invalid(`tools[${index}].function.parameters.$defs.${key}`, 'another tool defines the same name differently')
    defs[key] = value
  }
  return { type: 'object', properties: { name: { type: 'string', enum: [name] }, parameters: own }, required: ['name', 'parameters'] }
}

/** The calls in an answer, and whether it was whole. A cut one has the calls whose names are known, the last with the arguments so far. */
function callsOf(text: string): { whole: boolean; calls: Call[] } {
  try {
    const list = JSON.parse(text) as { name: string; parameters?: unknown }[]
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
      const { name, parameters } = JSON.parse(piece) as { name: string; parameters?: unknown }
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
  for (const [index, choice] of choices.entries()) {
    const { message, finish_reason, ...rest } = forcedEndpoint.choice(choice) as {
      message: { content: string | null; tool_calls?: object[] }
      finish_reason: string
    }
    const delta = message.tool_calls
      ? { role: 'assistant', content: null, tool_calls: message.tool_calls.map((call, at) => ({ index: at, ...call })) }
      : { role: 'assistant', content: message.content }
    push([{ index, delta, finish_reason: null, ...rest }])
    push([{ index, delta: {}, logprobs: null, finish_reason }])
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
