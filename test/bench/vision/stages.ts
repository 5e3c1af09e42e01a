// Times of stages as our processes tell them on /metrics, and requests with pictures that are watched until their first token. Knows nothing of who started the processes.
import { sseEvents } from '../../helpers/sse.ts'

export interface Stage {
  seconds: number
  count: number
}
/** By stage, all models and processes together. */
export type Stages = Map<string, Stage>

const family = /^dynamo_component_vision_stage_seconds_(sum|count)\{[^}]*stage="([a-z_]+)"[^}]*\} (\S+)$/gm

/** `urls`: of processes with /metrics. */
export async function stageSums(urls: readonly string[]): Promise<Stages> {
  const sums: Stages = new Map()
  for (const url of urls) {
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) })).text()
    for (const [, what, stage, value] of text.matchAll(family)) {
      const known = sums.get(stage!) ?? { seconds: 0, count: 0 }
      known[what === 'sum' ? 'seconds' : 'count'] += Number(value)
      sums.set(stage!, known)
    }
  }
  return sums
}

/** Mean milliseconds of each stage between two readings. */
export function meansBetween(before: Stages, after: Stages): Record<string, number> {
  const means: Record<string, number> = {}
  for (const [stage, { seconds, count }] of after) {
    const old = before.get(stage) ?? { seconds: 0, count: 0 }
    if (count > old.count) means[stage] = rounded((1000 * (seconds - old.seconds)) / (count - old.count))
  }
  return means
}

/** How often a stage was done between two readings. */
export function countBetween(before: Stages, after: Stages, stage: string): number {
  return (after.get(stage)?.count ?? 0) - (before.get(stage)?.count ?? 0)
}

export interface Answer {
  /** To the first token; absent where none came. */
  ttftMs?: number
  ms: number
  tokens: number
  text: string
  error?: string
}

export interface Asking {
  url: string
  model: string
  pictures: readonly string[]
  text: string
  tokens: number
  timeoutMs?: number
}

/** One streamed greedy chat. Never rejects. */
export async function askStreamed({ url, model, pictures, text, tokens, timeoutMs = 120_000 }: Asking): Promise<Answer> {
  const began = performance.now()
  const answer: Answer = { ms: 0, tokens: 0, text: '' }
  const content = [...pictures.map((picture) => ({ type: 'image_url', image_url: { url: picture } })), { type: 'text', text }]
  const body = {
    ...{ model, messages: [{ role: 'user', content }], max_tokens: tokens, temperature: 0, ignore_eos: true },
    ...{ stream: true, stream_options: { include_usage: true } },
  }
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 300)}`)
    for await (const data of sseEvents(response.body!)) if (data.startsWith('{')) take(JSON.parse(data), answer, began)
    if (answer.tokens === 0) throw new Error('the stream ended early')
  } catch (error) {
    answer.error = error instanceof Error ? error.message : String(error)
  }
  answer.ms = rounded(performance.now() - began)
  return answer
}

interface Event {
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[]
  usage?: { completion_tokens: number } | null
  error?: unknown
}

function take(event: Event, answer: Answer, began: number): void {
  if (event.error !== undefined) throw new Error(JSON.stringify(event.error).slice(0, 300))
  const choice = event.choices?.[0]
  // The first event only names the role.
  if (choice?.delta?.content || choice?.finish_reason) answer.ttftMs ??= rounded(performance.now() - began)
  answer.text += choice?.delta?.content ?? ''
  if (event.usage) answer.tokens = event.usage.completion_tokens
}

export function rounded(ms: number): number {
  return Math.round(ms * 10) / 10
}
