// What a client gets for each kind of mistake: status, code, the parameter's path, and a message that says what to do.
import { describe, expect, test } from 'bun:test'
import { testApp } from '../helpers/fakes/app.ts'

type Case = [name: string, body: unknown, status: number, code: string, param: string | null, message: RegExp]

const user = { role: 'user', content: 'Hi' }
const chat = (extra: object) => ({ model: 'tiny', messages: [user], ...extra })
const messages = (...list: unknown[]) => ({ model: 'tiny', messages: list })
const completion = (extra: object) => ({ model: 'tiny', prompt: 'Hi', ...extra })
const embedding = (extra: object) => ({ model: 'tiny', input: 'Hi', ...extra })
const tool = { type: 'function', function: { name: 'f' } }
const deep = (levels: number) =>
  `{"model":"tiny","messages":[{"role":"user","content":"x"}],"metadata":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`

const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, 1]))

const chatCases: Case[] = [
  ['empty body', '', 400, 'invalid_json', null, /empty/],
  ['broken JSON', '{"model":', 400, 'invalid_json', null, /not valid JSON/],
  ['a number', '5', 400, 'invalid_type', null, /must be a JSON object, but it is a number/],
  ['an array', '[]', 400, 'invalid_type', null, /JSON object, but it is an array/],
  ['null', 'null', 400, 'invalid_type', null, /JSON object, but it is null/],
  ['deep JSON', deep(200), 400, 'invalid_json', null, /nested deeper than 128/],
  ['very deep JSON', deep(100_000), 400, 'invalid_json', null, /nested deeper/],
  ['no model', { messages: [user] }, 400, 'missing_parameter', 'model', /Missing required parameter: 'model'/],
  ['model null', { model: null, messages: [user] }, 400, 'missing_parameter', 'model', /Missing/],
  ['model a number', chat({ model: 5 }), 400, 'invalid_type', 'model', /expected a string, but got a number/],
  ['model empty', chat({ model: '' }), 400, 'invalid_value', 'model', /must not be empty/],
  ['unknown model', chat({ model: 'nope' }), 404, 'model_not_found', 'model', /'nope'/],
  ['no messages', { model: 'tiny' }, 400, 'missing_parameter', 'messages', /Missing/],
  ['messages empty', messages(), 400, 'invalid_value', 'messages', /must not be empty/],
  ['messages a string', chat({ messages: 'Hi' }), 400, 'invalid_type', 'messages', /expected an array, but got a string/],
  ['message a string', messages('Hi'), 400, 'invalid_type', 'messages[0]', /expected an object, but got a string/],
  ['no role', messages({ content: 'Hi' }), 400, 'missing_parameter', 'messages[0].role', /Missing/],
  [
    'unknown role',
    messages({ role: 'robot', content: 'x' }),
    400,
    'invalid_value',
    'messages[0].role',
    /"robot" is not one of 'user', 'system'/,
  ],
  ['no content', messages(user, { role: 'user' }), 400, 'missing_parameter', 'messages[1].content', /Missing/],
  ['content a number', messages({ role: 'user', content: 5 }), 400, 'invalid_type', 'messages[0].content', /a string or an array/],
  ['content empty parts', messages({ role: 'user', content: [] }), 400, 'invalid_value', 'messages[0].content', /must not be empty/],
  [
    'unknown part',
    messages({ role: 'user', content: [{ type: 'smell' }] }),
    400,
    'invalid_value',
    'messages[0].content[0].type',
    /"smell" is not one of/,
  ],
  [
    'part without text',
    messages({ role: 'user', content: [{ type: 'text' }] }),
    400,
    'missing_parameter',
    'messages[0].content[0].text',
    /Missing/,
  ],
  [
    'image part without an address',
    messages({
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'image_url', image_url: { detail: 'low' } },
      ],
    }),
    400,
    'missing_parameter',
    'messages[0].content[1].image_url.url',
    /Missing/,
  ],
  [
    'audio part without its bytes',
    messages({ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }),
    400,
    'missing_parameter',
    'messages[0].content[0].input_audio.data',
    /Missing/,
  ],
  ['tool message without id', messages({ role: 'tool', content: 'x' }), 400, 'missing_parameter', 'messages[0].tool_call_id', /Missing/],
  ['unknown field', chat({ bogus_field: 1 }), 400, 'unknown_parameter', 'bogus_field', /Unknown parameter: 'bogus_field'/],
  ['unknown field constructor', chat({ constructor: 1 }), 400, 'unknown_parameter', 'constructor', /constructor/],
  [
    'unknown field __proto__',
    '{"model":"tiny","messages":[{"role":"user","content":"x"}],"__proto__":{"n":0}}',
    400,
    'unknown_parameter',
    '__proto__',
    /__proto__/,
  ],
  ['unknown nvext field', chat({ nvext: { bogus: 1 } }), 400, 'unknown_parameter', 'nvext.bogus', /nvext\.bogus/],
  ['unknown stream option', chat({ stream: true, stream_options: { x: 1 } }), 400, 'unknown_parameter', 'stream_options.x', /Unknown/],
  ['temperature high', chat({ temperature: 3.5 }), 400, 'invalid_value', 'temperature', /at most 2, but it is 3.5/],
  ['temperature negative', chat({ temperature: -1 }), 400, 'invalid_value', 'temperature', /at least 0/],
  ['temperature a string', chat({ temperature: '1' }), 400, 'invalid_type', 'temperature', /expected a number, but got a string/],
  ['top_p high', chat({ top_p: 1.5 }), 400, 'invalid_value', 'top_p', /at most 1/],
  ['top_k low', chat({ top_k: -7 }), 400, 'invalid_value', 'top_k', /at least -1/],
  ['min_p high', chat({ min_p: 2 }), 400, 'invalid_value', 'min_p', /at most 1/],
  ['frequency_penalty', chat({ frequency_penalty: 5 }), 400, 'invalid_value', 'frequency_penalty', /at most 2/],
  ['presence_penalty', chat({ presence_penalty: -5 }), 400, 'invalid_value', 'presence_penalty', /at least -2/],
  ['repetition_penalty 0', chat({ repetition_penalty: 0 }), 400, 'invalid_value', 'repetition_penalty', /greater than 0/],
  ['max_tokens 0', chat({ max_tokens: 0 }), 400, 'invalid_value', 'max_tokens', /at least 1/],
  ['max_tokens a fraction', chat({ max_tokens: 1.5 }), 400, 'invalid_type', 'max_tokens', /an integer/],
  ['max_completion_tokens 0', chat({ max_completion_tokens: 0 }), 400, 'invalid_value', 'max_completion_tokens', /at least 1/],
  ['min over max', chat({ max_tokens: 2, min_tokens: 3 }), 400, 'invalid_value', 'min_tokens', /at most 'max_tokens' \(2\)/],
  ['n 0', chat({ n: 0 }), 400, 'invalid_value', 'n', /at least 1/],
  ['n 1000', chat({ n: 1000 }), 400, 'invalid_value', 'n', /at most 128/],
  ['33 stops', chat({ stop: Array(33).fill('x') }), 400, 'invalid_value', 'stop', /at most 32 items/],
  ['stop of objects', chat({ stop: [{}] }), 400, 'invalid_type', 'stop[0]', /a string or a number/],
  ['empty stop', chat({ stop: ['a', ''] }), 400, 'invalid_value', 'stop[1]', /must not be empty/],
  ['logit_bias 500', chat({ logit_bias: { 5: 500 } }), 400, 'invalid_value', 'logit_bias.5', /at most 100/],
  ['logit_bias by word', chat({ logit_bias: { word: 1 } }), 400, 'invalid_value', 'logit_bias.word', /token id/],
  ['logit_bias a list', chat({ logit_bias: [1] }), 400, 'invalid_type', 'logit_bias', /an object, but got an array/],
  ['top_logprobs alone', chat({ top_logprobs: 2 }), 400, 'invalid_value', 'top_logprobs', /needs 'logprobs'/],
  ['top_logprobs 50', chat({ logprobs: true, top_logprobs: 50 }), 400, 'invalid_value', 'top_logprobs', /at most 20/],
  ['logprobs a number', chat({ logprobs: 3 }), 400, 'invalid_type', 'logprobs', /a boolean/],
  ['seed a string', chat({ seed: 'x' }), 400, 'invalid_type', 'seed', /a number/],
  [
    'response_format unknown',
    chat({ response_format: { type: 'xml' } }),
    400,
    'invalid_value',
    'response_format.type',
    /"xml" is not one of 'text'/,
  ],
  ['response_format a string', chat({ response_format: 'json' }), 400, 'invalid_type', 'response_format', /an object/],
  [
    'json_schema missing',
    chat({ response_format: { type: 'json_schema' } }),
    400,
    'missing_parameter',
    'response_format.json_schema',
    /Missing/,
  ],
  [
    'json_schema without schema',
    chat({ response_format: { type: 'json_schema', json_schema: { name: 'a' } } }),
    400,
    'missing_parameter',
    'response_format.json_schema.schema',
    /Missing/,
  ],
  [
    'json_schema bad name',
    chat({ response_format: { type: 'json_schema', json_schema: { name: 'a b', schema: {} } } }),
    400,
    'invalid_value',
    'response_format.json_schema.name',
    /name/,
  ],
  ['two grammars', chat({ regex: 'a', ebnf: 'root ::= "a"' }), 400, 'invalid_value', 'ebnf', /'regex' and 'ebnf'/],
  ['guided_json not JSON', chat({ guided_json: '{' }), 400, 'invalid_value', 'guided_json', /not JSON/],
  [
    'tool of another kind',
    chat({ tools: [{ type: 'custom', custom: {} }] }),
    400,
    'invalid_value',
    'tools[0].type',
    /"custom" is not one of 'function'/,
  ],
  [
    'tool without name',
    chat({ tools: [{ type: 'function', function: {} }] }),
    400,
    'missing_parameter',
    'tools[0].function.name',
    /Missing/,
  ],
  [
    'tool with a bad name',
    chat({ tools: [{ type: 'function', function: { name: 'a b' } }] }),
    400,
    'invalid_value',
    'tools[0].function.name',
    /letters, digits/,
  ],
  ['tool_choice required, no tools', chat({ tool_choice: 'required' }), 400, 'invalid_value', 'tool_choice', /Give the tools/],
  [
    'tool_choice of no tool',
    chat({ tools: [tool], tool_choice: { type: 'function', function: { name: 'g' } } }),
    400,
    'invalid_value',
    'tool_choice.function.name',
    /no tool is named 'g'/,
  ],
  ['tool_choice unknown', chat({ tools: [tool], tool_choice: 'maybe' }), 400, 'invalid_value', 'tool_choice', /"maybe" is not one of/],
  ['functions', chat({ functions: [] }), 400, 'unsupported_parameter', 'functions', /use tools/],
  ['modalities audio', chat({ modalities: ['text', 'audio'] }), 400, 'invalid_value', 'modalities[1]', /not one of 'text'/],
  [
    'stream_options unstreamed',
    chat({ stream_options: { include_usage: true } }),
    400,
    'invalid_value',
    'stream_options',
    /only for 'stream'/,
  ],
  ['stream a string', chat({ stream: 'yes' }), 400, 'invalid_type', 'stream', /a boolean/],
  ['continue without assistant', chat({ continue_final_message: true }), 400, 'invalid_value', 'continue_final_message', /assistant/],
  [
    'extra_fields unserved',
    chat({ nvext: { extra_fields: ['engine_data'] } }),
    400,
    'unsupported_parameter',
    'nvext.extra_fields[0]',
    /worker_id, timing/,
  ],
  ['rid with a newline', chat({ rid: 'a\nb' }), 400, 'invalid_value', 'rid', /letters, digits/],
  ['echo in chat', chat({ echo: true }), 400, 'unsupported_parameter', 'echo', /completions/],
  ['hidden states', chat({ return_hidden_states: true }), 400, 'unsupported_parameter', 'return_hidden_states', /not served/],
  ['many items elsewhere', chat({ metadata: { a: Array(70_000).fill({}) } }), 400, 'invalid_value', 'a', /at most 65536/],
  ['many members', chat({ metadata: { a: members(10_001) } }), 400, 'invalid_value', 'a', /'a' has too many members; at most 10000/],
  ['many biases', chat({ logit_bias: members(65_537) }), 400, 'invalid_value', 'logit_bias', /at most 65536/],
  ['a deep schema in a text', chat({ guided_json: deep(300) }), 400, 'invalid_json', 'guided_json', /'guided_json' is nested deeper/],
  ['a flood of bad messages', chat({ messages: Array(60_000).fill(1) }), 400, 'invalid_type', 'messages[0]', /an object/],
]

const completionCases: Case[] = [
  ['no prompt', { model: 'tiny' }, 400, 'missing_parameter', 'prompt', /Missing/],
  ['empty prompt', completion({ prompt: '' }), 400, 'invalid_value', 'prompt', /empty string/],
  ['empty list', completion({ prompt: [] }), 400, 'invalid_value', 'prompt', /must not be empty/],
  ['empty string in a batch', completion({ prompt: ['a', ''] }), 400, 'invalid_value', 'prompt[1]', /empty string/],
  ['empty ids in a batch', completion({ prompt: [[1], []] }), 400, 'invalid_value', 'prompt[1]', /must not be empty/],
  ['mixed batch', completion({ prompt: ['a', [1]] }), 400, 'invalid_type', 'prompt[1]', /a string like the others/],
  ['mixed ids', completion({ prompt: [1, 'a'] }), 400, 'invalid_type', 'prompt[1]', /expected a token id/],
  ['negative id', completion({ prompt: [1, -2] }), 400, 'invalid_value', 'prompt[1]', /-2 is not a token id/],
  ['fractional id', completion({ prompt: [[1.5]] }), 400, 'invalid_value', 'prompt[0][0]', /not a token id/],
  ['prompt an object', completion({ prompt: {} }), 400, 'invalid_type', 'prompt', /a string, an array of token ids/],
  ['too many prompts', completion({ prompt: Array(3000).fill('a') }), 400, 'invalid_value', 'prompt', /at most 2048/],
  ['suffix', completion({ suffix: 'end' }), 400, 'unsupported_parameter', 'suffix', /part of the prompt/],
  ['best_of under n', completion({ n: 3, best_of: 2 }), 400, 'invalid_value', 'best_of', /at least 'n' \(3\)/],
  ['best_of streamed', completion({ best_of: 2, stream: true }), 400, 'invalid_value', 'best_of', /cannot be streamed/],
  ['logprobs true', completion({ logprobs: true }), 400, 'invalid_type', 'logprobs', /a number, but got a boolean/],
  ['messages in completions', completion({ messages: [] }), 400, 'unknown_parameter', 'messages', /Unknown/],
]

const embeddingCases: Case[] = [
  ['no input', { model: 'tiny' }, 400, 'missing_parameter', 'input', /Missing/],
  ['empty input', embedding({ input: '' }), 400, 'invalid_value', 'input', /empty/],
  ['input of booleans', embedding({ input: [true] }), 400, 'invalid_type', 'input[0]', /a string or an array of token ids/],
  [
    'encoding unknown',
    embedding({ encoding_format: 'hex' }),
    400,
    'invalid_value',
    'encoding_format',
    /"hex" is not one of 'float', 'base64'/,
  ],
  ['dimensions 0', embedding({ dimensions: 0 }), 400, 'invalid_value', 'dimensions', /at least 1/],
]

const tokenizeCases: Case[] = [
  ['neither', {}, 400, 'missing_parameter', 'prompt', /either 'prompt' or 'messages'/],
  ['both', { prompt: 'a', messages: [user] }, 400, 'invalid_value', 'prompt', /either/],
  ['bad message', { messages: [{ role: 'user' }] }, 400, 'missing_parameter', 'messages[0].content', /Missing/],
]

const detokenizeCases: Case[] = [
  ['no tokens', {}, 400, 'missing_parameter', 'tokens', /Missing/],
  ['tokens a string', { tokens: 'a' }, 400, 'invalid_type', 'tokens', /array of token ids/],
  ['token a string', { tokens: [1, 'a'] }, 400, 'invalid_type', 'tokens[1]', /a token id/],
]

const app = testApp()

function table(path: string, cases: Case[]): void {
  describe(path, () => {
    for (const [name, sent, status, code, param, message] of cases)
      test(name, async () => {
        const answer = await app.post(path, sent)
        expect(answer.status).toBe(status)
        expect(answer.body.error).toEqual({ message: expect.stringMatching(message), type: 'invalid_request_error', param, code })
        expect(answer.headers.get('x-request-id')).toMatch(/^\w{32}$/)
      })
  })
}

table('/v1/chat/completions', chatCases)
table('/v1/completions', completionCases)
table('/v1/embeddings', embeddingCases)
table('/tokenize', tokenizeCases)
table('/detokenize', detokenizeCases)

test('unknown fields pass when the server is told so', async () => {
  const lenient = testApp({ ignoreUnknownFields: true })
  const answer = await lenient.post('/v1/chat/completions', chat({ bogus: 1, nvext: { bogus: 2 }, stream_options: null }))
  expect(answer.status).toBe(200)
})
