// The answer of SGLang's POST /generate, as its server streams it, into a sink. Not the fast way: one JSON object an event.
import { AppError } from '../../../lib/errors.ts'
import type { EngineUsage, Finish, RowLogprobs, Sink, TopLogprobs } from '../../types.ts'
import { finishFromDict } from '../requests/finish.ts'

type Pair = [value: number | null, id: number, text?: string | null]

interface MetaInfo {
  prompt_tokens?: number
  completion_tokens?: number
  cached_tokens?: number
  reasoning_tokens?: number
  finish_reason?: Record<string, unknown> | null
  output_token_logprobs?: Pair[]
  output_top_logprobs?: (Pair[] | null)[]
  input_token_logprobs?: Pair[]
  input_top_logprobs?: (Pair[] | null)[]
}

interface StreamEvent {
  output_ids?: number[]
  meta_info?: MetaInfo
  error?: { message?: string; code?: unknown; type?: string }
}

/** Turns events into sink calls. `cumulative`: each event repeats everything so far; undefined: found out from the counts. */
export class HttpAnswer {
  /** Set once the server's terminal has been seen. */
  finish: Finish | undefined
  /** What the sink threw: it gets nothing more but its `fail`. */
  sinkThrew: unknown
  error: AppError | undefined
  /** The server did not see the pictures: what it answers is not an answer. */
  blind = false
  readonly usage: EngineUsage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
  private readonly sink: Sink
  private readonly onSinkError: () => void
  private cumulative: boolean | undefined
  private received = 0
  private promptTold = false

  /** With pictures: how many tokens the prompt must have there. A server drops pictures that it does not understand without a word. */
  private readonly promptTokens: number | undefined

  constructor(sink: Sink, cumulative: boolean | undefined, onSinkError: () => void, promptTokens?: number) {
    this.sink = sink
    this.onSinkError = onSinkError
    this.cumulative = cumulative
    this.promptTokens = promptTokens
  }

  /** One event's JSON. Throws SyntaxError on what is no JSON. */
  take(json: string): void {
    const event = JSON.parse(json) as StreamEvent
    if (event.error) {
      this.error = rejected(event.error.message ?? 'SGLang refused the request', event.error.code)
      return
    }
    const meta = event.meta_info ?? {}
    if (this.blind || this.droppedPictures(meta)) return
    this.usage.promptTokens = meta.prompt_tokens ?? this.usage.promptTokens
    this.usage.cachedTokens = meta.cached_tokens ?? this.usage.cachedTokens
    this.usage.reasoningTokens = meta.reasoning_tokens ?? this.usage.reasoningTokens
    this.tellPrompt(meta)
    const ids = event.output_ids ?? []
    if (this.cumulative === undefined && this.received > 0) this.cumulative = ids.length > (meta.completion_tokens ?? 0) - this.received
    const from = this.cumulative ? this.received : 0
    if (ids.length > from) {
      this.received += ids.length - from
      this.usage.completionTokens = this.received
      this.tell(() => this.sink.push(Int32Array.from(ids), from, ids.length, rowLogprobs(meta, from, ids.length)))
    }
    if (meta.finish_reason) this.finish = finishFromDict(meta.finish_reason)
  }

  private droppedPictures({ prompt_tokens: found }: MetaInfo): boolean {
    if (this.promptTokens === undefined || found === undefined || found === this.promptTokens) return false
    this.blind = true
    this.error = new AppError('engine_failed', {
      message: `The SGLang server read ${found} prompt tokens where the pictures make ${this.promptTokens}: it did not see them as the chat template marks them. Is it another model?`,
    })
    this.onSinkError()
    return true
  }

  private tellPrompt(meta: MetaInfo): void {
    const values = meta.input_token_logprobs
    if (this.promptTold || !values || values.length === 0) return
    this.promptTold = true
    const top = meta.input_top_logprobs
    const ids = values.map((pair) => pair[1])
    const tops = top ? { top: top.map((row) => (row ? toTop(row) : null)) } : {}
    this.tell(() => this.sink.promptLogprobs?.({ ids, values: values.map((pair) => pair[0]), ...tops }))
  }

  private tell(call: () => void): void {
    if (this.sinkThrew !== undefined) return
    try {
      call()
    } catch (thrown) {
      this.sinkThrew = thrown ?? new Error('a sink threw')
      this.onSinkError()
    }
  }
}

function rowLogprobs(meta: MetaInfo, from: number, to: number): RowLogprobs | undefined {
  const all = meta.output_token_logprobs
  if (!all || all.length < to) return undefined
  const logprobs: RowLogprobs = { values: all.slice(from, to).map((pair) => pair[0] ?? 0) }
  const top = meta.output_top_logprobs
  if (top && top.length >= to) logprobs.top = top.slice(from, to).map((row) => toTop(row ?? []))
  return logprobs
}

function toTop(row: Pair[]): TopLogprobs {
  return { ids: row.map((pair) => pair[1]), values: row.map((pair) => pair[0] ?? 0) }
}

/** SGLang's refusal of a request as ours; 5xx are the engine's fault. */
export function rejected(message: string, status: unknown): AppError {
  const code = typeof status === 'number' && status >= 400 && status < 600 ? status : 400
  if (code === 503 || code === 429) return new AppError('engine_unavailable', { message, status: code, retryAfterSecs: 1 })
  if (code >= 500) return new AppError('engine_failed', { message, status: code })
  return new AppError('engine_rejected', { message, status: code })
}

/** Calls `onData` with the payload of each `data:` line until the body ends. */
export async function readEvents(body: AsyncIterable<Uint8Array>, onData: (json: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true })
    let start = 0
    for (let end = rest.indexOf('\n', start); end >= 0; end = rest.indexOf('\n', start)) {
      if (rest.startsWith('data: ', start)) {
        const json = rest.slice(start + 6, end).trimEnd()
        if (json !== '[DONE]') onData(json)
      }
      start = end + 1
    }
    rest = rest.slice(start)
  }
}
