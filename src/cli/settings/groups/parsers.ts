// Parsers of answers.
import { reasoningParserNames, toolParserNames } from '../parser-names.ts'
import { choice } from '../setting.ts'

const reserved = { state: 'reserved' } as const

export const parsersSettings = {
  toolCallParser: choice(
    'parsers',
    '--dyn-tool-call-parser',
    'DYN_TOOL_CALL_PARSER',
    toolParserNames,
    undefined,
    "Tool call parser, instead of SGLang's --tool-call-parser",
    reserved,
  ),
  reasoningParser: choice(
    'parsers',
    '--dyn-reasoning-parser',
    'DYN_REASONING_PARSER',
    reasoningParserNames,
    undefined,
    'Reasoning parser for models that think first',
    reserved,
  ),
  chatProcessor: choice(
    'parsers',
    '--dyn-chat-processor',
    'DYN_CHAT_PROCESSOR',
    ['dynamo', 'sglang'],
    'dynamo',
    'Who renders and parses chats: this server or SGLang',
    reserved,
  ),
}
