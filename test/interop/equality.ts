// What of an answer must be equal, in a form that a test can compare and a person can read.

export interface Answer {
  status: number
  choices: { text: string; finish: string; logprobs: [token: string, logprob: string, top: string][] }[]
  usage: { prompt: number; completion: number } | undefined
}

interface ChatToken {
  token: string
  logprob: number
  top_logprobs?: { token: string; logprob: number }[]
}

/** Float32 sums differ in their last digits between batch shapes; four decimals do not. */
const round = (value: number | null): string => (value === null ? 'null' : Math.max(value, -9999).toFixed(3))

// biome-ignore lint/suspicious/noExplicitAny: answers of two servers, read leniently
export function essence(status: number, body: any): Answer {
  // biome-ignore lint/suspicious/noExplicitAny: the same
  const choices = (body?.choices ?? []).map((choice: any) => ({
    text: choice.message?.content ?? choice.text ?? '',
    finish: choice.finish_reason,
    logprobs: choice.logprobs?.content ? chatTokens(choice.logprobs.content) : completionTokens(choice.logprobs),
  }))
  const usage = body?.usage && { prompt: body.usage.prompt_tokens, completion: body.usage.completion_tokens }
  return { status, choices, usage: usage ?? undefined }
}

const chatTokens = (tokens: ChatToken[]) =>
  tokens.map((one) => [one.token, round(one.logprob), sorted((one.top_logprobs ?? []).map((top) => [top.token, top.logprob]))])

// biome-ignore lint/suspicious/noExplicitAny: the completions shape
const completionTokens = (logprobs: any) =>
  (logprobs?.tokens ?? []).map((token: string, i: number) => [
    token,
    round(logprobs.token_logprobs[i]),
    sorted(Object.entries(logprobs.top_logprobs?.[i] ?? {}) as [string, number][]),
  ])

const sorted = (top: [string, number][]): string =>
  top
    .map(([token, value]) => `${JSON.stringify(token)} ${round(value)}`)
    .sort()
    .join(', ')

/** Asks a server and gives the essence of its answer; `stream` puts the answer together from events. */
export async function ask(url: string, model: string, path: string, body: Record<string, unknown>, stream = false): Promise<Answer> {
  const request = { ...body, model, ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}) }
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
  if (!stream || response.status !== 200) return essence(response.status, await response.json())
  return essence(200, joined(await response.text()))
}

/** The whole answer that a stream's events add up to. */
function joined(events: string) {
  // biome-ignore lint/suspicious/noExplicitAny: chunks of either endpoint
  const choices: any[] = []
  let usage: unknown
  for (const line of events.split('\n')) {
    if (!line.startsWith('data: ') || line === 'data: [DONE]') continue
    const chunk = JSON.parse(line.slice(6))
    usage = chunk.usage ?? usage
    for (const part of chunk.choices ?? []) {
      choices[part.index] ??= { text: '', finish_reason: null, logprobs: undefined }
      const choice = choices[part.index]
      choice.text += part.delta?.content ?? part.text ?? ''
      choice.finish_reason = part.finish_reason ?? choice.finish_reason
      choice.logprobs = merge(choice.logprobs, part.logprobs)
    }
  }
  return { choices, usage }
}

// biome-ignore lint/suspicious/noExplicitAny: logprobs of either endpoint
function merge(all: any, more: any): any {
  if (!more) return all
  if (all === undefined) return structuredClone(more)
  for (const [name, values] of Object.entries(more)) if (Array.isArray(values)) all[name] = [...(all[name] ?? []), ...values]
  return all
}
