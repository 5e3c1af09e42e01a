// Requests whose answers must be the same from us and from SGLang's own HTTP server: greedy, on the same weights.

export interface EqualityCase {
  name: string
  path: '/v1/chat/completions' | '/v1/completions'
  body: Record<string, unknown>
}

const chat = (name: string, content: string, more: Record<string, unknown> = {}): EqualityCase => ({
  name,
  path: '/v1/chat/completions',
  body: { messages: [{ role: 'user', content }], temperature: 0, max_tokens: 24, ...more },
})
const text = (name: string, prompt: unknown, more: Record<string, unknown> = {}): EqualityCase => ({
  name,
  path: '/v1/completions',
  body: { prompt, temperature: 0, max_tokens: 24, ...more },
})

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 8 },
    age: { type: 'integer', minimum: 0, maximum: 99 },
    tags: { type: 'array', items: { enum: ['a', 'b'] }, maxItems: 2 },
  },
  required: ['name', 'age', 'tags'],
  additionalProperties: false,
}
const jsonSchema = { response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } }, max_tokens: 96 }
const long = 'the router keeps a radix tree of key value blocks and a worker streams tokens. '.repeat(40)

export const equalityCases: EqualityCase[] = [
  chat('plain', 'Hello!'),
  chat('emoji', 'What does 🙂👩‍👩‍👧‍👦 mean?'),
  chat('chinese', '请用中文回答：今天天气怎么样？'),
  chat('mixed scripts', 'Ελληνικά, русский, العربية, हिन्दी, 日本語'),
  chat('whitespace', '  two  spaces\n\n\tand tabs  \n'),
  chat('system message', 'Who are you?', {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Who are you?' },
    ],
  }),
  chat('several turns', '', {
    messages: [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: 'three' },
    ],
  }),
  chat('content parts', '', {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'first part' },
          { type: 'text', text: 'second part' },
        ],
      },
    ],
  }),
  chat('long prompt', long, { max_tokens: 8 }),
  chat('longer answer', 'Tell me everything.', { max_tokens: 200 }),
  chat('one token', 'Say one word.', { max_tokens: 1 }),
  chat('ignore_eos', 'Go on.', { ignore_eos: true, max_tokens: 64 }),
  chat('two choices', 'Twice, please.', { n: 2 }),
  chat('logprobs', 'Show your numbers.', { logprobs: true, top_logprobs: 3, max_tokens: 12 }),
  chat('logprobs without alternatives', 'Just the chosen ones.', { logprobs: true, max_tokens: 6 }),
  chat('logit_bias forbids', 'No e.', { logit_bias: { 68: -100, 69: -100 } }),
  chat('logit_bias forces', 'Only one.', { logit_bias: { 300: 100 }, max_tokens: 5 }),
  chat('json_schema', 'A person, please.', jsonSchema),
  chat('json_object', 'Anything.', { response_format: { type: 'json_object' }, max_tokens: 32 }),
  chat('regex', 'A date.', { regex: '[0-9]{4}-[0-9]{2}-[0-9]{2}' }),
  chat('penalties', 'Do not repeat.', { frequency_penalty: 1.5, presence_penalty: 0.5, repetition_penalty: 1.2 }),
  text('completion', 'Once upon a time'),
  text('completion of ids', [72, 101, 108, 108, 111]),
  text('batch of prompts', ['alpha', 'beta', 'gamma']),
  text('completion logprobs', 'The quick brown fox', { logprobs: 2, max_tokens: 8 }),
  text('min_tokens', 'Never stop early', { min_tokens: 20 }),
]

/** Stop strings are cut from text that the model really says, so they are made from an answer: the middle of it. */
export function stopCases(answer: string): EqualityCase[] {
  const characters = [...answer]
  const middle = Math.floor(characters.length / 2)
  const stop = characters.slice(middle, middle + 3).join('')
  return [
    chat('stop string', 'Hello!', { stop: [stop] }),
    chat('stop string of one character', 'Hello!', { stop: characters[middle] }),
    chat('stop string that never comes', 'Hello!', { stop: ['@@never@@', `${stop}@@`] }),
  ]
}
