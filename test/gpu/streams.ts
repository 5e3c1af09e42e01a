// Single requests of a GPU measurement: greedy texts to compare, and streams that are watched from the first event to their end.

export interface Asked {
  url: string
  model: string
  prompt: number[]
  tokens: number
}

/** `length` token ids, different for every `from`. */
export function promptIds(length: number, from: number): number[] {
  return Array.from({ length }, (_, i) => 10 + ((from * 131 + i * 17 + ((i * i) % 97)) % 900))
}

const limitMs = 60_000
const post = (body: unknown, signal: AbortSignal) => ({
  ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal },
})

export interface Answer {
  status: number
  workerId: string | null
  prefillWorkerId: string | null
  text: string
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  /** Of an answer that is an error. */
  code?: string
  ms: number
}

/** One whole greedy completion. Never throws: without an answer `status` is 0 and `code` says why. */
export async function complete({ url, model, prompt, tokens }: Asked, timeoutMs = limitMs): Promise<Answer> {
  const began = performance.now()
  const body = { model, prompt, max_tokens: tokens, temperature: 0, ignore_eos: true }
  const nothing = { workerId: null, prefillWorkerId: null, text: '', promptTokens: 0, cachedTokens: 0, completionTokens: 0 }
  try {
    const response = await fetch(`${url}/v1/completions`, post(body, AbortSignal.timeout(timeoutMs)))
    const told = (await response.json()) as {
      choices?: { text: string }[]
      usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } }
      error?: { code: string }
    }
    return {
      status: response.status,
      workerId: response.headers.get('x-worker-id'),
      prefillWorkerId: response.headers.get('x-prefill-worker-id'),
      text: told.choices?.[0]?.text ?? '',
      promptTokens: told.usage?.prompt_tokens ?? 0,
      cachedTokens: told.usage?.prompt_tokens_details?.cached_tokens ?? 0,
      completionTokens: told.usage?.completion_tokens ?? 0,
      ...(told.error && { code: told.error.code }),
      ms: since(began),
    }
  } catch (error) {
    return { status: 0, ...nothing, code: String(error), ms: since(began) }
  }
}

export interface Ending {
  /** Of usage, when the stream ended well. */
  tokens: number
  /** Of its error event or refusal; `connection: …` when neither came. */
  error?: string
  /** performance.now() of the end, and of every event before it. */
  endedAt: number
  eventsAt: number[]
}

export interface Stream {
  /** Also when it ended without one. */
  first: Promise<void>
  ended: Promise<Ending>
  leave(): void
}

const open = new Set<AbortController>()

/** Ends what a step that failed has left running. */
export function leaveAll(): void {
  for (const one of open) one.abort()
}

/** A streamed completion of exactly `tokens` tokens. */
export function openStream({ url, model, prompt, tokens }: Asked): Stream {
  const leaving = new AbortController()
  open.add(leaving)
  const first = Promise.withResolvers<void>()
  const eventsAt: number[] = []
  let tail = ''
  const ended = (async (): Promise<Ending> => {
    try {
      const body = { model, prompt, max_tokens: tokens, ignore_eos: true, stream: true, stream_options: { include_usage: true } }
      const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(limitMs)])
      const response = await fetch(`${url}/v1/completions`, post(body, signal))
      const decoder = new TextDecoder()
      for await (const chunk of response.body!) {
        tail = (tail + decoder.decode(chunk, { stream: true })).slice(-1500)
        eventsAt.push(performance.now())
        first.resolve()
      }
    } catch (error) {
      tail += `\n"code":"connection: ${error instanceof Error ? error.message : error}"`
    }
    first.resolve()
    open.delete(leaving)
    const whole = /"completion_tokens":\s*(\d+)/.exec(tail)
    const code = /"code":\s*"([^"]*)"/.exec(tail)?.[1]
    const broken = code ?? (whole === null ? 'connection: ended early' : undefined)
    return { tokens: Number(whole?.[1] ?? 0), ...(broken !== undefined && { error: broken }), endedAt: performance.now(), eventsAt }
  })()
  return { first: first.promise, ended, leave: () => leaving.abort() }
}

/** What clients saw of streams that something happened to at `from` (performance.now()). */
export async function toldOf(streams: Stream[], from: number) {
  const endings = await Promise.all(streams.map((one) => one.ended))
  const how: Record<string, number> = {}
  let last = 0
  let silence = 0
  for (const { tokens, error, endedAt, eventsAt } of endings) {
    const key = error ?? `whole, ${tokens} tokens`
    how[key] = (how[key] ?? 0) + 1
    last = Math.max(last, endedAt - from)
    const after = [from, ...eventsAt.filter((at) => at > from), endedAt]
    for (let i = 1; i < after.length; i++) silence = Math.max(silence, after[i]! - after[i - 1]!)
  }
  return { endings: how, lastEndedAfterMs: Math.round(last), longestSilenceMs: Math.round(silence) }
}

function since(began: number): number {
  return Math.round((performance.now() - began) * 10) / 10
}
