// What one answer tells a load test: when its first token came, the gaps, how many tokens, how it failed. Looks at bytes, and parses JSON
// only where a number or an error is inside: the client must cost less than what it measures.
import type { ResponseHandler } from './http-response.ts'

export interface Outcome {
  /** Undefined: it went well. Else a short key to count by: `503 engine_unavailable`, `timeout`. */
  error: string | undefined
  /** Milliseconds from `startedAt` to the first content, and to the end. */
  ttftMs: number
  totalMs: number
  promptTokens: number
  cachedTokens: number
  /** As the server says; without usage, the number of content events. */
  outputTokens: number
}

interface Usage {
  prompt_tokens?: number
  completion_tokens?: number
  prompt_tokens_details?: { cached_tokens?: number } | null
}

const contentKeys = ['"content":', '"text":', '"reasoning_content":', '"reasoning":', '"arguments":'].map((key) => Buffer.from(key))
const usageKey = Buffer.from('"usage":')
const errorKey = Buffer.from('"error":')
const [lineFeed, carriage, space, quote, brace] = [10, 13, 32, 34, 123] as const
const dataHead = Buffer.from('data:')

export class Answer implements ResponseHandler {
  ended = false
  private readonly startedAt: number
  private readonly stream: boolean
  private readonly onGap: (ms: number) => void
  private readonly onEnd: () => void
  private status = 0
  private rest: Buffer | undefined
  private firstAt = 0
  private lastAt = 0
  private events = 0
  private sawDone = false
  private usage: Usage | undefined
  private error: string | undefined
  private readonly now: () => number

  constructor(options: {
    startedAt: number
    stream: boolean
    onGap: (ms: number) => void
    onEnd: () => void
    now?: () => number
  }) {
    this.startedAt = options.startedAt
    this.stream = options.stream
    this.onGap = options.onGap
    this.onEnd = options.onEnd
    this.now = options.now ?? (() => performance.now())
  }

  /** True once the server has sent anything. */
  get begun(): boolean {
    return this.status !== 0
  }

  head(status: number): void {
    this.status = status
  }

  body(bytes: Buffer, start: number, end: number): void {
    if (this.rest === undefined) this.read(bytes, start, end)
    else {
      const joined = Buffer.concat([this.rest, bytes.subarray(start, end)])
      this.rest = undefined
      this.read(joined, 0, joined.length)
    }
  }

  done(): void {
    if (!(this.stream && this.status === 200)) this.readWhole()
    else if (!this.sawDone) this.error ??= 'stream ended without [DONE]'
    this.finish()
  }

  /** The connection broke, or time is up. */
  fail(error: string): void {
    this.error ??= error
    this.finish()
  }

  outcome(): Outcome {
    const { usage } = this
    const first = this.firstAt === 0 ? this.lastAt : this.firstAt
    return {
      error: this.error,
      ttftMs: first - this.startedAt,
      totalMs: this.lastAt - this.startedAt,
      promptTokens: usage?.prompt_tokens ?? 0,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
      outputTokens: usage?.completion_tokens ?? this.events,
    }
  }

  private finish(): void {
    if (this.ended) return
    this.ended = true
    this.lastAt = this.now()
    this.onEnd()
  }

  private read(bytes: Buffer, start: number, end: number): void {
    let at = start
    if (this.stream && this.status === 200) {
      // One clock reading for all events of one read: they arrived together.
      const now = this.now()
      for (let lineEnd = bytes.indexOf(lineFeed, at); lineEnd !== -1 && lineEnd < end; lineEnd = bytes.indexOf(lineFeed, at)) {
        this.readLine(bytes, at, bytes[lineEnd - 1] === carriage ? lineEnd - 1 : lineEnd, now)
        at = lineEnd + 1
      }
    }
    if (at < end) this.rest = Buffer.from(bytes.subarray(at, end))
  }

  private readLine(bytes: Buffer, start: number, end: number, now: number): void {
    if (end - start < 7 || bytes.compare(dataHead, 0, dataHead.length, start, start + dataHead.length) !== 0) return
    const line = bytes.subarray(start + dataHead.length, end)
    if (line.length < 9 && line.toString('latin1').trim() === '[DONE]') {
      this.sawDone = true
      return
    }
    if (opens(line, errorKey, brace)) this.readError(line.toString())
    if (contentKeys.some((key) => hasText(line, key))) {
      this.events++
      if (this.firstAt === 0) this.firstAt = now
      else this.onGap(now - this.lastAt)
      this.lastAt = now
    }
    if (opens(line, usageKey, brace)) this.usage = (parse(line.toString()) as { usage?: Usage } | undefined)?.usage ?? this.usage
  }

  private readWhole(): void {
    const text = this.rest?.toString() ?? ''
    if (this.status !== 200) {
      this.readError(text)
      return
    }
    const value = parse(text) as { usage?: Usage } | undefined
    if (value === undefined) this.error ??= '200 without JSON'
    this.usage = value?.usage
  }

  private readError(text: string): void {
    const told = (parse(text) as { error?: { code?: unknown; type?: unknown } | string } | undefined)?.error
    const code = typeof told === 'object' ? (told.code ?? told.type) : undefined
    const where = this.status === 200 ? 'in stream' : String(this.status)
    this.error ??= code === undefined || code === null ? where : `${where} ${String(code)}`
  }
}

/** The key is there, and what follows it starts with `byte`. */
function opens(line: Buffer, key: Buffer, byte: number): boolean {
  const at = line.indexOf(key)
  if (at === -1) return false
  let next = at + key.length
  while (line[next] === space) next++
  return line[next] === byte
}

/** The key is there with a string that is not empty. */
function hasText(line: Buffer, key: Buffer): boolean {
  const at = line.indexOf(key)
  if (at === -1) return false
  let next = at + key.length
  while (line[next] === space) next++
  return line[next] === quote && line[next + 1] !== quote
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Told by the caller: what is no JSON has no fields.
    return undefined
  }
}
