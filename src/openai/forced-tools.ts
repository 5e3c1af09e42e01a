// A tool call that the client insists on (tool_choice required, or one by name): a grammar makes the answer a JSON list of calls, read back
// here. Needs no parser of the model's own format, because the grammar decides the format. In a stream the calls come in one piece.
import { newId } from '../lib/ids.ts'
import type { Pipeline, TextRequest } from '../pipeline/types.ts'
import { invalid } from './faults.ts'
import { gather, sumUsage } from './gather.ts'
import type { Endpoint } from './generate.ts'
import { chatLogprobs } from './logprobs.ts'
import type { ChatBody } from './schema/chat.ts'
import type { StreamOptions } from './text-stream.ts'
import { usageBody } from './usage.ts'

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

/** The calls in an answer; undefined when it was cut before its end. */
export function callsOf(text: string) {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(list)) return undefined
  return list.map((call: { name: string; parameters?: unknown }) => ({
    id: `call_${newId().slice(0, 24)}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.parameters ?? {}) },
  }))
}

export const forcedEndpoint: Endpoint = {
  idPrefix: 'chatcmpl-',
  object: 'chat.completion',
  stream: streamCalls,
  choice({ text, logprobs, finish }) {
    const calls = callsOf(text)
    return {
      message: { role: 'assistant', content: calls === undefined ? text : null, refusal: null, ...(calls && { tool_calls: calls }) },
      logprobs: logprobs === undefined ? null : chatLogprobs(logprobs),
      finish_reason: calls === undefined ? (finish?.reason ?? null) : 'tool_calls',
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
  const usage = sumUsage(gathered)
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
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-worker-id': answer.workerId }
  return new Response(`${events.join('')}data: [DONE]\n\n`, { headers })
}
