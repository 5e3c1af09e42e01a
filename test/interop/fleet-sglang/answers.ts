// Requests of every kind that an answer can be cut in, and their answers as a client sees them: texts, endings, the longest silence.
import { realModel } from '../../helpers/processes/sglang-fleet.ts'
import { sseEvents } from '../../helpers/sse.ts'

export interface Asked {
  name: string
  path: '/v1/completions' | '/v1/chat/completions'
  body: Record<string, unknown>
}

export interface Answer {
  /** By choice. */
  texts: string[]
  finishes: string[]
  completionTokens: number
  cachedTokens: number
  /** Where it began, from the headers. */
  worker: string
  dpRank: string
  overlap: number
  longestGapMs: number
}

/** What must be the same however often an answer was cut. */
export const sameOf = ({ texts, finishes, completionTokens }: Answer) => ({ texts, finishes, completionTokens })

const greedy = { model: realModel, temperature: 0, ignore_eos: true }
const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^[a-z ]{60,80}$' },
    list: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 999 }, minItems: 16, maxItems: 16 },
  },
  required: ['name', 'list'],
  additionalProperties: false,
}
const response_format = { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } }

/** A prompt of token ids, another for each `from`. */
export const ids = (from: number, length: number) => Array.from({ length }, (_, i) => 20 + ((from * 131 + i * 7) % 900))

export function plain(from: number, more: Record<string, unknown> = {}): Asked {
  return { name: `plain ${from}`, path: '/v1/completions', body: { ...greedy, prompt: ids(from, 24), max_tokens: 160, ...more } }
}

function talk(name: string, content: string, more: Record<string, unknown>): Asked {
  const messages = [{ role: 'user', content }]
  return { name, path: '/v1/chat/completions', body: { ...greedy, messages, max_tokens: 160, ...more } }
}

/** Under a grammar the end is the grammar's. */
const json = (name: string, content: string, more: Record<string, unknown> = {}) =>
  talk(name, content, { response_format, max_tokens: 1000, ignore_eos: false, ...more })

const streamed = (asked: Asked): Asked => ({ ...asked, body: { ...asked.body, stream: true, stream_options: { include_usage: true } } })
const named = (name: string, asked: Asked): Asked => ({ ...asked, name })

/** Twenty, greedy. Not under penalties: what SGLang counts for those depends on the prefills of other requests. */
export function everyKind(): Asked[] {
  return [
    ...Array.from({ length: 10 }, (_, i) => streamed(plain(i))),
    streamed(talk('a chat', 'Tell me of the sea.', {})),
    talk('a whole chat', 'Tell me of the hills.', {}),
    named('whole', plain(20)),
    named('two choices', streamed(plain(21, { n: 2 }))),
    named('two whole choices', plain(22, { n: 2 })),
    named('log-probabilities', streamed(plain(23, { logprobs: 2 }))),
    json('a whole JSON answer', 'Who is it?'),
    streamed(json('a JSON answer', 'Who was it?')),
    streamed(json('two JSON answers', 'Who will it be?', { n: 2 })),
    named('few tokens', streamed(plain(24, { max_tokens: 40 }))),
  ]
}

export function underPenalties(from: number): Asked {
  return named('under penalties', streamed(plain(from, { frequency_penalty: 0.4, presence_penalty: 0.3, max_tokens: 300 })))
}

/** The same request with a stop string that its answer runs into after about two thirds. */
export function stopping(asked: Asked, answer: Answer): Asked {
  const text = answer.texts[0]!
  for (let at = Math.floor((text.length * 2) / 3); at < text.length - 8; at++) {
    const stop = text.slice(at, at + 6)
    if (text.indexOf(stop) === at && !/[\ufffd\ud800-\udfff]/.test(stop))
      return { ...asked, name: `stop at ${stop}`, body: { ...asked.body, stop } }
  }
  throw new Error(`no piece of this text comes once: ${text}`)
}

/** Sends it; `each` hears of every piece of text. Throws on an error, also on one inside the stream. */
export async function ask(url: string, { name, path, body }: Asked, each: (worker: string) => void = () => {}): Promise<Answer> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`)
  const answer: Answer = {
    texts: [],
    finishes: [],
    completionTokens: 0,
    cachedTokens: 0,
    worker: response.headers.get('x-worker-id') ?? '',
    dpRank: response.headers.get('x-dp-rank') ?? '',
    overlap: Number(response.headers.get('x-kv-overlap')),
    longestGapMs: 0,
  }
  if (body.stream !== true) {
    take(answer, JSON.parse(await response.text()))
    return answer
  }
  let last = 0
  let ended = false
  for await (const data of sseEvents(response.body!)) {
    if (data === '[DONE]') {
      ended = true
      continue
    }
    const event = JSON.parse(data)
    if (event.error !== undefined) throw new Error(`${name}: error event ${data}`)
    if (!take(answer, event)) continue
    const now = performance.now()
    if (last > 0) answer.longestGapMs = Math.max(answer.longestGapMs, now - last)
    last = now
    each(answer.worker)
  }
  if (!ended) throw new Error(`${name}: the stream ended without [DONE]`)
  return answer
}

interface Told {
  choices: {
    index: number
    text?: string
    delta?: { content?: string | null }
    message?: { content?: string | null }
    finish_reason?: string | null
  }[]
  usage?: { completion_tokens: number; prompt_tokens_details?: { cached_tokens: number } } | null
}

/** Whether there was text in it. */
function take(answer: Answer, told: Told): boolean {
  let some = false
  for (const { index, text, delta, message, finish_reason: finish } of told.choices) {
    const piece = text ?? delta?.content ?? message?.content ?? ''
    answer.texts[index] = (answer.texts[index] ?? '') + piece
    if (finish) answer.finishes[index] = finish
    some ||= piece !== ''
  }
  if (told.usage) {
    answer.completionTokens = told.usage.completion_tokens
    answer.cachedTokens = told.usage.prompt_tokens_details?.cached_tokens ?? 0
  }
  return some
}
