// A chat body to the pipeline's request; pure.
import { AppError } from '../../lib/errors.ts'
import type { Prompt, TextRequest } from '../../pipeline/types.ts'
import type { TemplateInput } from '../../template/template.ts'
import type { Api, Call } from '../call.ts'
import { callsSchema, forcesTools } from '../forced-tools.ts'
import type { ChatBody } from '../schema/chat.ts'
import { invalid } from './faults.ts'
import { mediaOf } from './media.ts'
import { textRequest } from './text.ts'

/** Throws AppErrors for fields that contradict each other; the body's own form was checked before. */
export function chatRequest(
  body: ChatBody,
  call: Pick<Call, 'requestId' | 'receivedAt' | 'headers'>,
  api: Pick<Api, 'excludeToolsWhenNone'>,
): TextRequest {
  const ids = body.input_ids ?? body.nvext?.token_data
  const prompt: Prompt =
    ids != null
      ? { kind: 'ids', ids: Uint32Array.from(ids), param: body.input_ids != null ? 'input_ids' : 'nvext.token_data' }
      : { kind: 'chat', input: templateInput(body, api) }
  const param = body.max_completion_tokens != null ? 'max_completion_tokens' : 'max_tokens'
  const request = textRequest(body, call, prompt, body.max_completion_tokens ?? body.max_tokens ?? undefined, param)
  const media = mediaOf(body.messages, body.media_io_kwargs?.video ?? {})
  if (media !== undefined) request.media = media
  if (forcesTools(body)) {
    if (request.constrainedBy !== undefined)
      throw invalid('tool_choice', 'an answer cannot be tool calls and also follow response_format or another grammar')
    request.sampling.json_schema = callsSchema(body)
    request.constrainedBy = 'tools'
  }
  if (body.logprobs === true) request.topLogprobs = body.top_logprobs ?? 0
  else if (body.top_logprobs != null && body.top_logprobs > 0)
    throw new AppError('invalid_value', { message: "'top_logprobs' needs 'logprobs': true.", param: 'top_logprobs' })
  return request
}

type TemplateFields = Pick<
  ChatBody,
  | 'messages'
  | 'tools'
  | 'tool_choice'
  | 'chat_template_kwargs'
  | 'reasoning_effort'
  | 'reasoning'
  | 'thinking'
  | 'add_generation_prompt'
  | 'continue_final_message'
  | 'documents'
>

/** What the template sees. Shared with /tokenize. */
export function templateInput(
  body: Partial<TemplateFields> & Pick<TemplateFields, 'messages'>,
  api: Pick<Api, 'excludeToolsWhenNone'>,
): TemplateInput {
  const messages = withRefusalsAsText(body.messages as TemplateInput['messages'])
  const input: TemplateInput = {
    messages,
    addGenerationPrompt: body.add_generation_prompt ?? body.continue_final_message !== true,
  }
  if (body.continue_final_message === true) {
    if (body.add_generation_prompt === true)
      throw invalid(
        'continue_final_message',
        "it cannot be combined with 'add_generation_prompt': the final message is either continued or closed",
      )
    if (messages.at(-1)?.role !== 'assistant') throw invalid('continue_final_message', "the last message must be the assistant's")
    input.continueFinalMessage = true
  }
  const tools = toolsFor(body, api)
  if (tools !== undefined) input.tools = tools
  const variables = variablesOf(body)
  if (variables !== undefined) input.variables = variables
  return input
}

/** Templates know no parts of type `refusal`, which OpenAI's own history has: they drop them or give up. Without any these are the messages themselves. */
function withRefusalsAsText(messages: TemplateInput['messages']): TemplateInput['messages'] {
  if (!messages.some(({ content }) => Array.isArray(content) && content.some(isRefusal))) return messages
  return messages.map((message) => {
    if (!Array.isArray(message.content)) return message
    return { ...message, content: message.content.map((part) => (isRefusal(part) ? { type: 'text', text: part.refusal } : part)) }
  })
}

const isRefusal = ({ type }: { type: string }) => type === 'refusal'

function toolsFor(body: Partial<TemplateFields>, api: Pick<Api, 'excludeToolsWhenNone'>): readonly unknown[] | undefined {
  const tools = body.tools?.length ? body.tools : undefined
  const choice = body.tool_choice
  if (choice == null || choice === 'auto') return tools
  if (choice === 'none') return api.excludeToolsWhenNone === false ? tools : undefined
  if (tools === undefined)
    throw new AppError('invalid_value', {
      message: "'tool_choice' asks for a tool, but 'tools' is empty. Give the tools.",
      param: 'tool_choice',
    })
  if (choice !== 'required') {
    const name = choice.function.name
    if (!tools.some((tool) => tool.function.name === name)) throw invalid('tool_choice.function.name', `no tool is named '${name}'`)
  }
  return tools
}

/** As SGLang: an effort also sets the switches that templates of thinking models read, unless the client set them. */
function variablesOf(body: Partial<TemplateFields>): Record<string, unknown> | undefined {
  const given = body.chat_template_kwargs
  const effort = body.reasoning?.effort ?? body.reasoning_effort
  const thinking = effort != null ? effort !== 'none' : thinkingOf(body)
  if (thinking === undefined && body.documents == null) return given ?? undefined
  const variables: Record<string, unknown> = {}
  if (effort != null) variables.reasoning_effort = effort
  if (thinking !== undefined) {
    variables.thinking = thinking
    variables.enable_thinking = thinking
  }
  if (body.documents != null) variables.documents = body.documents
  return Object.assign(variables, given)
}

function thinkingOf(body: Partial<TemplateFields>): boolean | undefined {
  if (body.reasoning?.enabled != null) return body.reasoning.enabled
  return body.thinking == null ? undefined : body.thinking.type !== 'disabled'
}
